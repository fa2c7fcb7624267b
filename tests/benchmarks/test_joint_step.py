"""The joint step against the naive one that does each pass by itself: the same losses."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.joint_step import Step, channels_last, joined_step, scene, settings_of_project
from benchmarks.naive_step import naive_step
from genreid.models.discriminator import Discriminator, DiscriminatorSettings
from genreid.models.encoder import EncoderSettings, IdentityEncoder
from genreid.models.generator import Generator, GeneratorSettings
from genreid.training.joint import Optimisers
from genreid.training.run import Run
from genreid.training.settings import JointSettings, Networks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def networks() -> Networks:
    torch.manual_seed(3)
    encoder = IdentityEncoder(EncoderSettings("resnet18", 8, "small", 1, 4, "average", None, "none"))
    generator = Generator(GeneratorSettings(4, 1, 8, 16, carries_texture=False), encoder.appearance_dim, 4)
    return Networks(encoder, generator, Discriminator(DiscriminatorSettings(4, 1, 2)))


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> JointSettings:
    monkeypatch.chdir(ROOT)
    project = settings_of_project()
    generation = replace(project.generation, r1_every=1, r1=1.0)
    contrast = replace(project.contrast, num_negatives=500)
    return replace(project, generation=generation, contrast=contrast, generated_batchnorm="frozen")


def two_steps(
    step: Step, networks: Networks, settings: JointSettings
) -> tuple[list[dict[str, float]], Networks]:
    networks = deepcopy(networks)
    networks.encoder.train()
    batch, targets = scene(networks.encoder, 32, 16, 4)
    if step is joined_step:
        batch = channels_last(batch)
    optimisers = Optimisers.of(networks, settings)
    run, losses = Run(1, 2), []
    for run.step in range(2):
        rng = np.random.default_rng(run.step)
        losses.append(step(networks, optimisers, batch, targets, settings, rng, run))
    return losses, networks


def test_losses_of_both_steps_are_equal(networks: Networks, settings: JointSettings) -> None:
    ours, _ = two_steps(joined_step, networks, settings)
    naive, _ = two_steps(naive_step, networks, settings)
    assert ours[0].keys() == naive[0].keys() and len(ours[0]) == 9
    for mine, theirs in zip(ours, naive, strict=True):
        for name, value in theirs.items():
            assert mine[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert ours[0]["lsgan"] != pytest.approx(ours[1]["lsgan"], rel=1e-3), "the step has moved nothing"


def test_shared_statistics_make_another_step(networks: Networks, settings: JointSettings) -> None:
    """What the comparison leaves out is not nothing: pictures that share a batch share its statistics."""
    settings = replace(settings, generated_batchnorm="separate")
    ours, _ = two_steps(joined_step, networks, settings)
    naive, _ = two_steps(naive_step, networks, settings)
    assert ours[0]["feature"] != pytest.approx(naive[0]["feature"], rel=1e-4)
