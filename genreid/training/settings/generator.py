"""The section `pretrain_generator`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.clustering.settings import PseudoLabelSettings
from genreid.models.settings import DiscriminatorSettings, GeneratorSettings
from genreid.ranges import BatchSize, Count, Seed
from genreid.training.settings.generation import GenerationSettings
from genreid.training.settings.precision import Precision


@dataclass(frozen=True)
class GeneratorPretrainingSettings:
    """The section `pretrain_generator`.

    clustering, camera_centred: how E_id's embeddings become the pseudo-identities that
    `generation.same_person` needs. reconstruction_epochs: epochs at the start that learn L_img and
    L_same alone, beyond the paper; a generator that repairs learns all but L_adv in them. lr falls by 10
    every `lr_step_epochs`. epochs: 0 for a generator that learns nothing. picture_every: epochs between two
    pictures, 0 for none.
    """

    seed: Seed
    precision: Precision
    generator: GeneratorSettings
    discriminator: DiscriminatorSettings
    generation: GenerationSettings
    clustering: PseudoLabelSettings
    camera_centred: bool
    reconstruction_epochs: int
    epochs: int
    steps_per_epoch: Count
    batch_size: BatchSize
    lr_step_epochs: Count
    embed_batch_size: Count
    picture_every: int
