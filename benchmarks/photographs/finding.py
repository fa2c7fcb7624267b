"""What a picture finds among photographs of the other camera. Q queries, G photographs, D embedding width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.photographs.crops import Photographs


@dataclass(frozen=True)
class Found:
    """first: (Q,) float64, 1 where the first in the list is a true match, else 0. precision: (Q,) average
    precision. NaN where a query has no true match."""

    first: np.ndarray
    precision: np.ndarray


@dataclass(frozen=True)
class Lists:
    """Which photographs are asked for: true and left_out (Q, G) bool."""

    true: np.ndarray
    left_out: np.ndarray


def ranked(similarity: np.ndarray, lists: Lists) -> Found:
    """similarity: (Q, G), larger first; equal ones stand in the order of the gallery."""
    order = np.argsort(-np.where(lists.left_out, -np.inf, similarity), axis=1, kind="stable")
    hits = np.take_along_axis(lists.true & ~lists.left_out, order, axis=1)
    num = hits.sum(1)
    at = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    precision = (hits * at).sum(1) / np.where(num > 0, num, np.nan)
    return Found(np.where(num > 0, hits[:, 0], np.nan), precision)


def all_sides(photographs: Photographs, index: np.ndarray) -> Lists:
    """Every photograph of the person in other cameras; what the query's own camera took is left out.

    The queries are (or stand for) the photographs at `index` (Q,), as in all that follows.
    """
    own_camera = photographs.camera[index, None] == photographs.camera
    return Lists(photographs.person[index, None] == photographs.person, own_camera)


def other_sides(photographs: Photographs, index: np.ndarray) -> Lists:
    """The same without the person's photographs from the image's own side."""
    return _apart(photographs, index, lambda turn: turn != 0)


def one_side(photographs: Photographs, index: np.ndarray, yaw_deg: int) -> Lists:
    """The same, and of the person those alone that are turned by an angle from the image."""
    return _apart(photographs, index, lambda turn: turn == yaw_deg % 360)


def _apart(photographs: Photographs, index: np.ndarray, asked: Callable[[np.ndarray], np.ndarray]) -> Lists:
    whole = all_sides(photographs, index)
    turn = (photographs.heading_deg - photographs.heading_deg[index, None]) % 360
    return Lists(whole.true, whole.left_out | (whole.true & ~asked(turn)))


def centred(rows: np.ndarray, camera: np.ndarray, real: np.ndarray, real_camera: np.ndarray) -> np.ndarray:
    """Unit rows (Q, D) of cameras (Q,), less the mean of the real photographs (N, D) of their camera (N,)."""
    means = {one: real[real_camera == one].mean(0) for one in np.unique(real_camera)}
    less = rows - np.stack([means[one] for one in camera])
    length = np.linalg.norm(less, axis=1, keepdims=True)
    return np.where(length > 1e-6, less / np.maximum(length, 1e-6), rows)
