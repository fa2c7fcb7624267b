"""Who estimates meshes, by name, and settings of ROMP, of the regressor and of its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genreid.errors import GenreidError
from genreid.ranges import InnerShare, Side, Width

EstimatorName = Literal["regressor", "blazepose", "romp", "ground_truth", "mean_pose"]
Fallback = Literal["mean_pose", "drop"]
"""What images get in which nobody was found: the mean body of all others, or nothing (`drop`)."""
PoseSize = Literal["lite", "full", "heavy"]
"""Of BlazePose's network."""
STEM_STRIDE = 4
"""Of the regressor's first convolution."""


@dataclass(frozen=True)
class NetworkSettings:
    """height_px, width_px: input. widths: channels of the stem (a quarter of the input's size) and of each
    residual stage after it, which halves the size again. head_width: of the hidden layer before the output.
    mask_width: channels of the maps that the mask is read from.
    """

    height_px: Side
    width_px: Side
    widths: tuple[Width, ...]
    head_width: Width
    mask_width: Width

    def __post_init__(self) -> None:
        step = STEM_STRIDE * 2 ** (len(self.widths) - 1)
        if len(self.widths) < 2 or self.height_px % step or self.width_px % step:
            raise GenreidError(
                f"a regressor of {len(self.widths)} widths for {self.height_px}x{self.width_px} pixels "
                f"cannot be built: expected two or more widths, and sides divisible by {step}"
            )


@dataclass(frozen=True)
class LossSettings:
    """Weights of the terms of `regression_losses`, by name."""

    heading: float
    root: float
    pose: float
    betas: float
    joints: float
    joints_2d: float
    camera: float
    mask: float


@dataclass(frozen=True)
class RompSettings:
    """weights: ROMP.pkl. smpl: SMPL's neutral body, SMPL_NEUTRAL.pth as the package packs it or any other
    file that `genreid.body.files` reads. Both are paths.

    center_threshold: least confidence of a person (the package's own is 0.25); small_crop_threshold: that of
    crops whose longer side is under small_crop_px. Of several persons the one with the highest confidence −
    distance_weight · distance from the crop's centre (in half longer sides) is taken. fallback: see
    `Fallback`.
    """

    weights: str
    smpl: str
    center_threshold: float
    small_crop_px: int
    small_crop_threshold: float
    distance_weight: float
    fallback: Fallback


@dataclass(frozen=True)
class BlazePoseSettings:
    """size: of the network. least_score: below it, nobody is there. fallback: see `Fallback`."""

    size: PoseSize
    least_score: InnerShare
    fallback: Fallback

    @property
    def model_name(self) -> str:
        """What `genreid models` calls the network's file."""
        return f"blazepose_{self.size}"
