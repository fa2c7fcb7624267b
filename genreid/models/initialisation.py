"""Networks with their first weights: seeded, whatever else the process has drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from genreid.models.blocks import LEAKY_SLOPE
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.settings import DiscriminatorSettings, EncoderSettings, GeneratorSettings
from genreid.models.weights import load_pretrained
from genreid.seeding import derive_seed


def build_encoder(settings: EncoderSettings, seed: int, *, weights: Path | None = None) -> IdentityEncoder:
    """The identity encoder, random by `seed` or pretrained by `settings.pretrained`.

    Its own settings name what `auto` came to.

    weights: where the file is that `settings.pretrained` names, if it names one; None: as it is named.

    Raises GenreidError when pretrained weights cannot be fetched or read, or fit another network.
    """
    with _seeded(seed, "encoder"):
        encoder = IdentityEncoder(settings)
    if settings.pretrained != "none":
        pretrained = settings.pretrained
        if settings.pretrained_file is not None and weights is not None:
            pretrained = str(weights)
        encoder.backbone, found = load_pretrained(
            encoder.backbone, settings.backbone, settings.last_stride, pretrained
        )
        if settings.pretrained == "auto":
            encoder.settings = replace(settings, pretrained=found)
    return encoder


def build_generator(
    settings: GeneratorSettings, appearance_dim: int, num_stripes: int, seed: int
) -> Generator:
    """The generator for an encoder's `appearance_dim` and number of stripes; Kaiming normal (docs/method.md,
    Networks), then as its `initialise` says.
    """
    with _seeded(seed, "generator"):
        generator = Generator(settings, appearance_dim, num_stripes)
        for module in generator.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=LEAKY_SLOPE, nonlinearity="leaky_relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        generator.initialise()
    return generator


def build_discriminator(settings: DiscriminatorSettings, seed: int) -> Discriminator:
    """The discriminator; weights from N(0, 0.02) (docs/method.md, Networks)."""
    with _seeded(seed, "discriminator"):
        discriminator = Discriminator(settings)
        for module in discriminator.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return discriminator


@contextmanager
def _seeded(seed: int, purpose: str) -> Iterator[None]:
    """Draws inside come from (seed, purpose); the global generator is as if nothing had happened.

    Layers draw their first weights from the global CPU generator: that one alone is seeded and put back.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "initialisation", purpose))
        yield
