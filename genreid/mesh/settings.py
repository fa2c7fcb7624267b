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
    """What the regressor is made of."""

    height_px: Side
    """Height of the input [px]."""
    width_px: Side
    """Width of the input [px]."""
    widths: tuple[Width, ...]
    """Channels of the stem and of each residual stage [channels]. The stem's map has a quarter of the input's
    size, and each stage halves it again; both sides have to be divisible by that."""
    head_width: Width
    """Width of the hidden layer before the output [channels]."""
    mask_width: Width
    """Channels of the maps that the mask is read from [channels]."""

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
    """Weight of the heading."""
    root: float
    """Weight of the whole body's orientation."""
    pose: float
    """Weight of the joints' rotations."""
    betas: float
    """Weight of the shape."""
    joints: float
    """Weight of the joints' places in space."""
    joints_2d: float
    """Weight of the joints' places in the picture."""
    camera: float
    """Weight of the camera."""
    mask: float
    """Weight of the person's mask."""


@dataclass(frozen=True)
class RompSettings:
    """How ROMP's answers are taken. Of several persons the one with the highest confidence − distance_weight
    · distance counts."""

    weights: str
    """Path of ROMP.pkl."""
    smpl: str
    """Path of SMPL's neutral body. SMPL_NEUTRAL.pth as the package packs it, or any other file that
    `genreid.body.files` reads."""
    center_threshold: float
    """Least confidence of a person. The package's own is 0.25."""
    small_crop_px: int
    """Longer side below which a crop is small [px]."""
    small_crop_threshold: float
    """Least confidence of a person in a small crop."""
    distance_weight: float
    """What distance from the crop's centre costs [confidence a half longer side]."""
    fallback: Fallback
    """What images get in which nobody was found. mean_pose: the mean body of all others; drop: nothing."""


@dataclass(frozen=True)
class BlazePoseSettings:
    """How BlazePose's answers are taken."""

    size: PoseSize
    """Size of the network. The smaller ones are faster; `genreid models get blazepose_heavy` brings the file
    of heavy."""
    least_score: InnerShare
    """Score below which nobody is there."""
    fallback: Fallback
    """What images get in which nobody was found. mean_pose: the mean body of all others; drop: nothing."""

    @property
    def model_name(self) -> str:
        """What `genreid models` calls the network's file."""
        return f"blazepose_{self.size}"
