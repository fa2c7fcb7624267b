"""The networks of joint training, and whether they can do what the settings ask."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.errors import GenreidError
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.training.settings.joint import JointSettings


def require_fitting(settings: JointSettings, generator: Generator) -> None:
    """Raises GenreidError where the generator cannot paint what the settings ask of it."""
    if generator.repairs and settings.contrast.mixup == "d_mixup":
        raise GenreidError(
            "contrast.mixup is `d_mixup`, codes that a generator paints, but this one repairs views: set "
            "`train_joint.contrast.mixup: body`, or `pretrain_generator.generator.paints: codes`"
        )


@dataclass(frozen=True)
class Networks:
    """E_id; E_str and G; D."""

    encoder: IdentityEncoder
    generator: Generator
    discriminator: Discriminator
