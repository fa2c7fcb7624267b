"""The section `fit_regressor`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.mesh.settings import LossSettings, NetworkSettings
from genreid.ranges import BatchSize, Count, Decay, Rate, Seed, Share
from genreid.training.settings.precision import Precision


@dataclass(frozen=True)
class DistortionSettings:
    """What is done to a training picture: probabilities, and the widest change where it is done."""

    mirror: Share
    """Probability of the mirror image."""
    scale: Decay
    """Widest change of size. By a factor of up to 1 + scale either way."""
    shift: float
    """Widest shift, as a share of either side's length."""
    roll_deg: float
    """Widest turn about the picture's middle [deg]."""
    colour: float
    """Widest change of brightness, contrast and, less, of each channel's gain. By a factor of up to 1 +
    colour either way."""
    soften: float
    """Probability of a loss of resolution. Down to 0.3 of the size."""
    erase: Share
    """Probability of a rectangle in a random colour. It takes up to a third of the area."""
    noise: float
    """Standard deviation of noise [grey levels]."""


@dataclass(frozen=True)
class FitSettings:
    """The section `fit_regressor`."""

    seed: Seed
    """Seed of the stage's random draws."""
    precision: Precision
    """What the networks learn in. auto: bfloat16 where the processor has instructions for it."""
    network: NetworkSettings
    """What the network is made of."""
    num_scenes: Count
    """Renders to learn from [images]."""
    num_held_out: Count
    """Further renders to measure on [images]."""
    epochs: Count
    """Rounds of training [epochs]."""
    steps_per_epoch: Count
    """Batches of a round [steps]."""
    batch_size: BatchSize
    """Renders of a step [images]."""
    lr: Rate
    """Highest learning rate of AdamW. It moves all but the convolutions. Both rates rise over `warm_up_share`
    of the steps, then fall to 0 along a cosine."""
    matrix_lr: Rate
    """Highest learning rate of Muon, which moves the convolutions."""
    warm_up_share: Share
    """Share of the steps over which the rates rise."""
    weight_decay: float
    """What a step takes off every weight, times lr."""
    loss: LossSettings
    """Weights of the terms of the loss."""
    distortion: DistortionSettings
    """How training pictures are distorted."""
    pictures_every: int
    """Time between two pictures [epochs]. 0 for none."""
