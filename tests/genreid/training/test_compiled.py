"""torch.compile by params: other kernels, the same training."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch

from genreid.models.checkpoint import encoder_checkpoint, generator_checkpoint, load_encoder, load_generator
from genreid.training.run import compile_networks

from . import test_generator, test_joint
from .conftest import Boxes
from .harness import Recorder, comparable, same, weights

needs_compiler = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler on a CPU"
)


def test_weights_keep_their_names_and_checkpoints_their_form() -> None:
    trained = test_joint.networks()
    before = weights(trained.encoder), weights(trained.generator)
    encoder, generator, discriminator = trained.encoder, trained.generator, trained.discriminator
    compile_networks(encoder.backbone, generator.structure, generator.decoder, discriminator)
    assert same(weights(encoder), before[0]) and same(weights(generator), before[1])
    assert same(weights(load_encoder(encoder_checkpoint(encoder))), before[0])
    assert same(weights(load_generator(generator_checkpoint(generator, discriminator))[0]), before[1])


@needs_compiler
@pytest.mark.slow
def test_compiled_joint_training_is_the_same_and_survives_a_kill(boxes: Boxes) -> None:
    """First losses equal to rounding; a run that goes on where nothing is translated yet ends alike."""
    settings = replace(test_joint.SETTINGS, epochs=2, steps_per_epoch=2)
    _, plain = test_joint.run(boxes, replace(settings, epochs=1, steps_per_epoch=1))
    _, first = test_joint.run(boxes, replace(settings, epochs=1, steps_per_epoch=1, compile=True))
    for name, value in comparable(plain[0]).items():
        assert comparable(first[0])[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
    torch.compiler.reset()
    recorder = Recorder()
    undisturbed, reports = test_joint.run(boxes, replace(settings, compile=True), recorder)
    torch.compiler.reset()
    resumed, later = test_joint.run(boxes, replace(settings, compile=True), Recorder(recorder.states[2]))
    for name, network in vars(undisturbed).items():
        assert same(weights(network), weights(vars(resumed)[name])), name
    assert comparable(later[-1]) == comparable(reports[-1])


@needs_compiler
@pytest.mark.slow
def test_compiled_generator_pretraining_is_the_same(boxes: Boxes) -> None:
    settings = replace(test_generator.SETTINGS, epochs=1, steps_per_epoch=2)
    _, plain = test_generator.run(boxes, settings)
    _, compiled = test_generator.run(boxes, replace(settings, compile=True))
    for name, value in comparable(plain[0]).items():
        assert comparable(compiled[0])[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
