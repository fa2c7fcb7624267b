"""The mean embedding over an image and its turned views, beside as many pictures that are not turned.

N photographs, D embedding width. Every photograph is a query among those of the other camera, and queries and
gallery are embedded in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.photographs.finding import Lists, all_sides, centred, one_side, ranked
from benchmarks.photographs.scale import TURNS_DEG, Scale
from benchmarks.photographs.ways import Way
from genreid.data.ways import NUM_COPIES, copied, mirrored

OPPOSITE_DEG = 180


@dataclass(frozen=True)
class Mean:
    """precision, first: (N,) of each query among all sides, less its camera's mean. opposite: (N,) average
    precision where the person's photographs from the other side alone count. plain: (N,) average precision
    without taking the camera's mean off."""

    name: str
    precision: np.ndarray
    first: np.ndarray
    opposite: np.ndarray
    plain: np.ndarray


def means_without_turning(scale: Scale, through_mesh: Mapping[str, Way]) -> list[Mean]:
    """The controls. through_mesh: ways that can draw a person through its mesh, by name."""
    images, own = scale.photographs, scale.embedding
    pictures = images.load(scale.index)
    mirror = scale.judge.embed(mirrored(pictures))
    named = {"the image alone": own, "with its mirror image": own + mirror}
    total = own.copy()
    for number in range(1, NUM_COPIES + 1):
        pairs = zip(pictures, images.image_id, strict=True)
        total += scale.judge.embed(np.stack([copied(one, image_id, number) for one, image_id in pairs]))
    named[f"with {NUM_COPIES} copies, moved, scaled and mirrored"] = total
    for name, way in through_mesh.items():
        drawn = way(scale.index, 0).pictures
        both = scale.judge.embed(drawn) + scale.judge.embed(mirrored(drawn))
        named[f"with itself {name}, unturned, and that mirrored"] = own + both
    return [_mean(scale, name, rows) for name, rows in named.items()]


def mean_with_turned(scale: Scale, name: str, embedding: np.ndarray) -> Mean:
    """With the views of the photographs; embedding (Y, N, D)."""
    return _mean(scale, f"with {len(embedding)} views {name}", scale.embedding + embedding.sum(0))


def mean_with_true(scale: Scale) -> Mean:
    """With the true photographs of the other sides: what no view can beat."""
    total = scale.embedding.copy()
    for yaw_deg in TURNS_DEG:
        target = scale.photographs.turned(scale.index, yaw_deg)
        total += np.where(target[:, None] >= 0, scale.embedding[target], 0)
    return _mean(scale, f"with {len(TURNS_DEG)} true photographs from the other sides", total)


def _mean(scale: Scale, name: str, total: np.ndarray) -> Mean:
    """total: (N, D), sums of unit rows."""
    rows = total / np.linalg.norm(total, axis=1, keepdims=True)
    camera = scale.photographs.camera
    less = centred(rows, camera, rows, camera)
    every = all_sides(scale.photographs, scale.index)
    among = ranked(less @ less.T, every)
    behind = one_side(scale.photographs, scale.index, OPPOSITE_DEG)
    return Mean(
        name,
        among.precision,
        among.first,
        _precision(less, behind),
        _precision(rows, every),
    )


def _precision(rows: np.ndarray, lists: Lists) -> np.ndarray:
    return ranked(rows @ rows.T, lists).precision
