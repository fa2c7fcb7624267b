"""The section `fit_regressor`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.mesh.settings import LossSettings, NetworkSettings
from genreid.ranges import BatchSize, Count, Decay, Rate, Seed, Share
from genreid.training.settings.precision import Precision


@dataclass(frozen=True)
class DistortionSettings:
    """What is done to a training picture. Probabilities, and the widest change where it is done.

    mirror: probability. scale: size changes by a factor of up to 1 + scale either way. shift: of either
    side's length. roll_deg: about the middle. colour: brightness, contrast and, less, the gain of each
    channel change by a factor of up to 1 + colour either way. soften: probability of a loss of resolution,
    down to 0.3 of the size. erase: probability of a rectangle of a random colour, up to a third of the area.
    noise: standard deviation in grey levels.
    """

    mirror: Share
    scale: Decay
    shift: float
    roll_deg: float
    colour: float
    soften: float
    erase: Share
    noise: float


@dataclass(frozen=True)
class FitSettings:
    """The section `fit_regressor`.

    num_scenes: renders to learn from; num_held_out: further ones to measure on. matrix_lr: highest rate of
    Muon, which moves the convolutions; lr: of AdamW, which moves all else. They rise over `warm_up_share` of
    the steps, then fall to 0 along a cosine. A step at `lr` takes
    lr · weight_decay of its length off every weight. pictures_every: epochs.
    """

    seed: Seed
    precision: Precision
    network: NetworkSettings
    num_scenes: Count
    num_held_out: Count
    epochs: Count
    steps_per_epoch: Count
    batch_size: BatchSize
    lr: Rate
    matrix_lr: Rate
    warm_up_share: Share
    weight_decay: float
    loss: LossSettings
    distortion: DistortionSettings
    pictures_every: int
