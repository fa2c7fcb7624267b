"""torch.compile by params: other kernels, the same training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from genreid.models.checkpoint import encoder_checkpoint, generator_checkpoint, load_encoder, load_generator
from genreid.training import run
from genreid.training.run import compile_networks

from . import test_generator, test_joint
from .conftest import Boxes
from .harness import Recorder, comparable, same, weights


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All that torch.compile does but for the translation of its graphs, which takes minutes."""
    torch.compiler.reset()
    monkeypatch.setattr(run, "COMPILER", "aot_eager")
    yield
    torch.compiler.reset()


def test_weights_keep_their_names_and_checkpoints_their_form() -> None:
    trained = test_joint.networks()
    before = weights(trained.encoder), weights(trained.generator)
    encoder, generator, discriminator = trained.encoder, trained.generator, trained.discriminator
    compile_networks(encoder.backbone, generator.structure, generator.decoder, discriminator)
    assert same(weights(encoder), before[0]) and same(weights(generator), before[1])
    assert same(weights(load_encoder(encoder_checkpoint(encoder))), before[0])
    assert same(weights(load_generator(generator_checkpoint(generator, discriminator))[0]), before[1])


@pytest.mark.slow
@pytest.mark.usefixtures("traced")
def test_compiled_joint_training_is_the_same_and_survives_a_kill(boxes: Boxes) -> None:
    """Losses equal to rounding; a run that goes on where nothing is translated yet ends alike."""
    settings = replace(test_joint.SETTINGS, epochs=1, steps_per_epoch=2)
    _, plain = test_joint.run(boxes, settings)
    recorder = Recorder()
    undisturbed, reports = test_joint.run(boxes, replace(settings, compile=True), recorder)
    for name, value in comparable(plain[0]).items():
        assert comparable(reports[0])[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
    torch.compiler.reset()
    resumed, later = test_joint.run(boxes, replace(settings, compile=True), Recorder(recorder.states[0]))
    for name, network in vars(undisturbed).items():
        assert same(weights(network), weights(vars(resumed)[name])), name
    assert comparable(later[-1]) == comparable(reports[-1])


@pytest.mark.slow
@pytest.mark.usefixtures("traced")
def test_compiled_generator_pretraining_is_the_same(boxes: Boxes) -> None:
    """Over two steps, one of them with R1, which is differentiated twice."""
    settings = replace(test_generator.SETTINGS, epochs=1, steps_per_epoch=2)
    _, plain = test_generator.run(boxes, settings)
    _, compiled = test_generator.run(boxes, replace(settings, compile=True))
    assert "discriminator/r1" in plain[0].figures
    for name, value in comparable(plain[0]).items():
        assert comparable(compiled[0])[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
