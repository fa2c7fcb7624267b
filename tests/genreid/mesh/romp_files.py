"""ROMP's files with nothing but chance in them: weights in its own format, and a stand-in SMPL."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import torch

from genreid.mesh.romp import _package
from genreid.mesh.settings import RompSettings

from ..licensed import Arrays, smpl_arrays, write_packed

CENTER_BIAS = "final_layers.2.2.bias"


@dataclass(frozen=True)
class RompFiles:
    """weights: ROMP.pkl, whose centre head answers about `center_bias` everywhere. smpl: SMPL_NEUTRAL.pth."""

    weights: Path
    smpl: Path

    def settings(self, **changes: object) -> RompSettings:
        values: dict[str, object] = {
            "weights": str(self.weights),
            "smpl": str(self.smpl),
            "center_threshold": 0.25,
            "small_crop_px": 256,
            "small_crop_threshold": 0.1,
            "distance_weight": 0.5,
            "fallback": "mean_pose",
        }
        return RompSettings(**(values | changes))  # type: ignore[arg-type]


def write_files(folder: Path, arrays: Arrays | None = None) -> RompFiles:
    """Random weights under which people are found all over the image, each with a pose and a place."""
    files = RompFiles(folder / "ROMP.pkl", folder / "SMPL_NEUTRAL.pth")
    with torch.random.fork_rng(), contextlib.redirect_stdout(io.StringIO()):
        torch.manual_seed(0)
        weights = _package("model").ROMPv1().state_dict()
    weights[CENTER_BIAS] += 0.5
    for head in (1, 3):
        weights[f"final_layers.{head}.2.weight"] *= 8  # answers as far apart as real ones are
    torch.save(weights, files.weights)
    write_packed(files.smpl, smpl_arrays() if arrays is None else arrays)
    return files


def with_center_bias(files: RompFiles, shift: float) -> RompFiles:
    """The same weights with the centre head's bias shifted."""
    weights = torch.load(files.weights, weights_only=True)
    weights[CENTER_BIAS] += shift
    moved = RompFiles(files.weights.with_name(f"ROMP{shift:+g}.pkl"), files.smpl)
    torch.save(weights, moved.weights)
    return moved
