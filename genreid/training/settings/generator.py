"""The section `pretrain_generator`."""

from __future__ import annotations

from dataclasses import dataclass, field

from genreid.clustering.settings import PseudoLabelSettings
from genreid.models.settings import DiscriminatorSettings, GeneratorSettings
from genreid.ranges import BatchSize, Count, Seed, shared
from genreid.training.settings.generation import GenerationSettings
from genreid.training.settings.precision import Precision


@dataclass(frozen=True)
class GeneratorPretrainingSettings:
    """The section `pretrain_generator`."""

    seed: Seed
    """Seed of the stage's random draws."""
    precision: Precision
    """What the networks learn in. auto: bfloat16 where the processor has instructions for it."""
    generator: GeneratorSettings
    """What the generator is made of."""
    discriminator: DiscriminatorSettings
    """What the discriminator is made of."""
    generation: GenerationSettings
    """How both learn."""
    clustering: PseudoLabelSettings
    """How embeddings become pseudo-identities, for same_person."""
    camera_centred: bool = field(metadata=shared("clustering.camera_centred"))
    """Whether the mean embedding of each camera is left out. Not while colours are clustered."""
    reconstruction_epochs: int
    """First epochs that learn L_img and L_same alone [epochs]. At a third of the cost; a generator that
    repairs learns all but L_adv in them."""
    epochs: int
    """Rounds of training, 0 to learn nothing [epochs]."""
    steps_per_epoch: Count
    """Batches of a round [steps]."""
    batch_size: BatchSize
    """Images of a step [images]."""
    lr_step_epochs: Count
    """Time after which the rate falls to a tenth, again and again [epochs]."""
    embed_batch_size: Count
    """Images that are embedded at once [images]. It changes memory and speed, not embeddings."""
    picture_every: int
    """Time between two pictures [epochs]. 0 for none."""
