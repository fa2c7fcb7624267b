"""Settings of networks small enough for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from genreid.models.settings import DiscriminatorSettings, EncoderSettings, GeneratorSettings

ENCODER = EncoderSettings(
    backbone="resnet18",
    base_width=8,
    stem="small",
    last_stride=1,
    num_stripes=4,
    pooling="average",
    embedding_dim=None,
    pretrained="none",
)
STANDARD_ENCODER = replace(ENCODER, base_width=64, stem="imagenet")
GENERATOR = GeneratorSettings(
    paints="codes", structure_width=8, structure_blocks=1, decoder_width=16, mlp_width=8
)
DISCRIMINATOR = DiscriminatorSettings(width=8, num_blocks=1, num_scales=3)


def encoder_settings(**changes: Any) -> EncoderSettings:
    return replace(ENCODER, **changes)
