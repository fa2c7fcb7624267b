"""Learning to repair: what is shown of a batch, what is learnt from it, and who learns."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from genreid.data.transforms import normalise
from genreid.errors import GenreidError
from genreid.models.batchnorm import generated_images
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.models.settings import DiscriminatorSettings
from genreid.progress import Forgetful, Silent
from genreid.training.canvases import half_turn
from genreid.training.generation import repair_losses
from genreid.training.generator import pretrain_generator
from genreid.training.loader import Holds
from genreid.training.mixtures import draw_mix
from genreid.training.networks import Networks, require_fitting
from genreid.training.repair import repair
from genreid.training.views import make_views

from . import test_generator, test_joint
from .conftest import CPU, ENCODER, GENERATION, GENERATOR, Boxes
from .harness import Recorder, comparable, finish, same, weights

REPAIRS = replace(GENERATOR, paints="views")
PRETRAINING = replace(test_generator.SETTINGS, generator=REPAIRS)
INDEX, POSITIVES, OTHERS = np.array([0, 7, 13]), np.array([1, 8, 12]), np.array([4, 2, 21])
YAWS = np.array([90, 180, 270], np.int16)
CANVASES = Holds(canvases=True)


def networks() -> Networks:
    encoder = build_encoder(ENCODER, 0)
    generator = build_generator(REPAIRS, encoder.appearance_dim, 4, 0)
    return Networks(encoder, generator, build_discriminator(DiscriminatorSettings(4, 1, 2), 0))


def warmed_up() -> Networks:
    """With a generator that corrects already: its last weights are not 0."""
    parts = networks()
    last = parts.generator.decoder.to_pixels[-1].conv  # type: ignore[union-attr]
    with torch.no_grad():
        draw = torch.Generator().manual_seed(0)
        last.weight.copy_(torch.randn(last.weight.shape, generator=draw))  # type: ignore
    return parts


def pretrain(boxes: Boxes, settings: Any, checkpoints: Any = None) -> tuple[Networks, list[Any]]:
    parts = networks()
    reports = pretrain_generator(
        parts.generator,
        parts.discriminator,
        parts.encoder,
        boxes.images,
        boxes.loader,
        settings,
        device=CPU,
        checkpoints=checkpoints or Forgetful(),
        progress=Silent(),
    )
    return parts, finish(reports)


def test_half_a_turn_is_taken_the_short_way_round() -> None:
    assert half_turn(np.array([45, 90, 135, 225, 270, 315], np.int16)).tolist() == [
        22.5,
        45.0,
        67.5,
        -67.5,
        -45.0,
        -22.5,
    ]
    assert abs(half_turn(np.array([180], np.int16))[0]) == 90


def test_canvases_show_the_persons_where_they_are_to_stand(boxes: Boxes) -> None:
    """Pixel by pixel from what is warped: turned before other backgrounds, the others before their own."""
    batch = boxes.loader.batch_at(INDEX, YAWS, CANVASES, positives=POSITIVES, backgrounds=OTHERS)
    shown, persons = batch.canvases, boxes.persons
    assert shown is not None
    assert batch.warped is None
    zero = np.zeros(3, np.int16)
    own, other = persons.empty(INDEX), persons.empty(OTHERS)
    expected = (
        (shown.turned, persons.views(INDEX, YAWS), batch.mesh_rotated, other),
        (shown.after_turn, persons.after_turn(INDEX, np.array([45, 90, -45])), batch.mesh, own),
        (shown.same_person, persons.views(POSITIVES, zero), batch.mesh, own),
    )
    for canvas, views, mesh, backgrounds in expected:
        assert canvas is not None and canvas.shape == (3, 7, 32, 16)
        assert torch.equal(canvas[:, :1], mesh)
        for row, (view, background) in enumerate(zip(views, backgrounds, strict=True)):
            picture = np.rint(view.person + (1 - view.share[:, :, None]) * background).astype(np.uint8)
            assert torch.equal(canvas[row, 1:4], normalise(picture[None])[0])
            for channel, share in ((4, view.seen), (5, view.filled), (6, view.share)):
                assert np.array_equal(canvas[row, channel].numpy(), share)


def test_a_step_in_which_nobody_learns_has_the_turned_canvas_alone(boxes: Boxes) -> None:
    shown = boxes.loader.batch_at(INDEX, YAWS, CANVASES, learns=False).canvases
    assert shown is not None and shown.after_turn is None and shown.same_person is None


def test_losses_equal_one_canvas_at_a_time(boxes: Boxes) -> None:
    batch = boxes.loader.batch_at(INDEX, YAWS, CANVASES, positives=POSITIVES)
    parts, settings = warmed_up(), replace(GENERATION, same_person=3.0, cycle=2.0, feature=4.0)
    generator, encoder, judge = parts.generator.eval(), parts.encoder.eval(), parts.discriminator
    real = encoder(batch.image)
    views = repair(
        generator, encoder, batch, real.appearance, "frozen", seen=True, judged=True, teaches_encoder=False
    )
    found = repair_losses(views, judge, batch, real, settings)
    canvases = batch.canvases
    assert canvases is not None and canvases.after_turn is not None and canvases.same_person is not None

    def repaired(canvas: torch.Tensor, row: int) -> torch.Tensor:
        one = slice(row, row + 1)
        return generator(canvas[one], real.appearance[one])

    def error(canvas: torch.Tensor) -> float:
        total, num = 0.0, 0
        for row in range(3):
            within = canvas[row, 6] > 0
            apart = (repaired(canvas, row)[0] - batch.image[row]).abs().mean(0)
            total, num = total + apart[within].sum().item(), num + int(within.sum())
        return total / num

    assert found["cycle"].item() == pytest.approx(2 * error(canvases.after_turn), rel=1e-4)
    assert found["same_person"].item() == pytest.approx(3 * error(canvases.same_person), rel=1e-4)
    fooled, features = 0.0, []
    for canvas in (canvases.after_turn, canvases.turned):
        pictures = torch.cat([repaired(canvas, row) for row in range(3)])
        fooled += sum((one - 1).square().mean().item() for one in judge(pictures))
        features.append(encoder(pictures))
    assert found["adversarial"].item() == pytest.approx(fooled, rel=1e-4)
    maps = float((features[0].feature_map - real.feature_map).abs().mean())
    codes = float((features[1].appearance - real.appearance).abs().mean())
    assert found["feature"].item() == pytest.approx(4 * (maps + codes), rel=1e-3)
    assert found.keys() == {"cycle", "same_person", "adversarial", "feature"}


@pytest.mark.parametrize("teaches", [True, False])
def test_what_is_learnt_reaches_the_encoder_only_where_it_may(boxes: Boxes, teaches: bool) -> None:
    batch, parts = boxes.loader.batch_at(INDEX, YAWS, CANVASES), warmed_up()
    with torch.no_grad():
        real = parts.encoder(batch.image)
    views = repair(
        parts.generator,
        parts.encoder,
        batch,
        real.appearance,
        "frozen",
        seen=True,
        judged=True,
        teaches_encoder=teaches,
    )
    losses = repair_losses(views, parts.discriminator, batch, real, GENERATION)
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None for p in parts.generator.parameters())
    assert all(p.grad is None for p in parts.discriminator.parameters())
    reached = [p.grad is not None for p in parts.encoder.backbone.parameters()]
    assert all(reached) if teaches else not any(reached)


def test_pretraining_lowers_the_error_and_leaves_the_encoder_alone(boxes: Boxes) -> None:
    eager = replace(GENERATION, adversarial=0.0, same_person=5.0, lr=5e-3, beta1=0.5)
    settings = replace(PRETRAINING, epochs=4, steps_per_epoch=8, generation=eager)
    parts, reports = pretrain(boxes, settings)
    error = [report.figures["generator/cycle"] for report in reports]
    assert all(after < before for before, after in itertools.pairwise(error))
    assert same(weights(parts.encoder), weights(networks().encoder))
    # Nobody is judged, and so nobody learns to judge.
    assert same(weights(parts.discriminator), weights(networks().discriminator))
    assert not any(name.startswith("discriminator") for name in reports[0].figures)


def test_a_pretraining_that_was_killed_ends_the_same(boxes: Boxes) -> None:
    settings = replace(PRETRAINING, generation=replace(GENERATION, same_person=5.0), reconstruction_epochs=1)
    recorder = Recorder()
    undisturbed, reports = pretrain(boxes, settings, recorder)
    assert "generator/adversarial" not in reports[0].figures
    assert "generator/adversarial" in reports[1].figures
    resumed, later = pretrain(boxes, settings, Recorder(recorder.states[2]))
    for name, network in vars(undisturbed).items():
        assert same(weights(network), weights(vars(resumed)[name])), name
    assert comparable(later[-1]) == comparable(reports[-1])


@pytest.mark.parametrize("learns", [True, False])
def test_second_views_are_the_repaired_ones(boxes: Boxes, learns: bool) -> None:
    contrast = replace(test_joint.CONTRAST, background="other_cameras", mixup="none")
    settings = replace(test_joint.SETTINGS, contrast=contrast, contrast_teaches_generator=False)
    parts = warmed_up()
    parts.encoder.train()
    batch = boxes.loader.batch_at(INDEX, YAWS, CANVASES, backgrounds=OTHERS, learns=learns)
    assert batch.canvases is not None
    real, rng = parts.encoder(batch.image), np.random.default_rng(0)
    views = make_views(parts, batch, real, draw_mix(3, 0.6, rng), settings, rng, learns=learns)
    assert (views.painted is not None) == learns and views.mixed is None
    pictures = parts.generator(batch.canvases.turned, real.appearance)
    with generated_images(parts.encoder, "separate"):
        expected = parts.encoder(pictures).embedding
    assert views.second is not None and torch.allclose(views.second, expected, atol=1e-4)
    views.second[:, 0].sum().backward()
    assert all(p.grad is None for p in parts.generator.parameters())


def test_joint_training_goes_on_repairing(boxes: Boxes) -> None:
    contrast = replace(test_joint.CONTRAST, mixup="body", background="other_cameras")
    generation = replace(GENERATION, same_person=2.0)
    settings = replace(test_joint.SETTINGS, contrast=contrast, generation=generation, generator_every=2)
    parts, reports = test_joint.run(boxes, settings, start=warmed_up())
    assert {"loss/cycle", "loss/same_person", "loss/mixup", "discriminator/lsgan"} <= reports[
        0
    ].figures.keys()
    assert not same(weights(parts.generator), weights(warmed_up().generator))
    frozen, _ = test_joint.run(boxes, replace(settings, generator="frozen"), start=warmed_up())
    assert same(weights(frozen.generator), weights(warmed_up().generator))


def test_codes_cannot_be_mixed_by_who_repairs() -> None:
    with pytest.raises(
        GenreidError, match=r"this one repairs views: set `train_joint\.contrast\.mixup: body`"
    ):
        require_fitting(test_joint.SETTINGS, networks().generator)
    require_fitting(test_joint.SETTINGS, test_joint.networks().generator)
