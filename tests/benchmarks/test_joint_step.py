"""The benchmark of the joint step has the same step on both sides."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch

from benchmarks.joint_step import R1_EVERY, STEPS, Scene, settings_of
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.settings import DiscriminatorSettings, EncoderSettings, GeneratorSettings
from genreid.training.networks import Networks

ROOT = Path(__file__).parents[2]


def test_both_sides_take_the_same_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same losses; R1 aside, which is as many times heavier as it comes less often."""
    monkeypatch.chdir(ROOT)
    torch.manual_seed(3)
    encoder = IdentityEncoder(EncoderSettings("resnet18", 8, "small", 1, 4, "average", None, "none"))
    generator = Generator(GeneratorSettings("codes", 4, 1, 8, 16), encoder.appearance_dim, 4)
    networks = Networks(encoder, generator, Discriminator(DiscriminatorSettings(4, 1, 2)))
    scene = Scene.of(encoder.embedding_dim, 32, 16, 4)
    ours, plain = (
        STEPS[which](deepcopy(networks), scene, settings_of(which))(0) for which in ("ours", "field")
    )
    plain["discriminator/r1"] *= R1_EVERY["ours"]
    assert len(ours) == 9
    assert ours == pytest.approx(plain, rel=1e-4)
