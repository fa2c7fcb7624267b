"""Encoder warm-up on coloured boxes: it learns, it resumes exactly, it stops where it must."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from genreid.data.settings import AugmentationSettings
from genreid.errors import GenreidError
from genreid.models.encoder import IdentityEncoder
from genreid.models.initialisation import build_encoder
from genreid.progress import Forgetful, Silent
from genreid.training.features import embed_all
from genreid.training.settings.cameras import CameraContrastSettings
from genreid.training.settings.warm_up import WarmUpSettings
from genreid.training.warm_up import warm_up

from .conftest import CLUSTERING, CPU, ENCODER, Boxes
from .harness import Recorder, comparable, finish, same, weights

SETTINGS = WarmUpSettings(
    seed=3,
    precision="float32",
    encoder=ENCODER,
    clustering=CLUSTERING,
    camera_centred=True,
    camera_contrast=CameraContrastSettings(within=0.0, across=0.0, temperature=0.07, num_negatives=50),
    augmentation=AugmentationSettings(flip=0.5, pad_px=2, erase=0.3, colour=0.0),
    colour_epochs=1,
    epochs=3,
    steps_per_epoch=4,
    identities_per_batch=3,
    images_per_identity=4,
    temperature=0.05,
    keep_old=0.1,
    rank_statistics="synchronised",
    lr=1e-3,
    weight_decay=5e-4,
    lr_step_epochs=2,
    embed_batch_size=16,
)


def run(boxes: Boxes, settings: WarmUpSettings, checkpoints: Any = None) -> tuple[IdentityEncoder, list]:
    encoder = build_encoder(settings.encoder, settings.seed)
    reports = warm_up(
        encoder,
        boxes.images,
        settings,
        device=CPU,
        checkpoints=checkpoints or Forgetful(),
        progress=Silent(),
        agreement=boxes.agreement,
    )
    return encoder, finish(reports)


def test_identities_draw_together(boxes: Boxes) -> None:
    untrained = build_encoder(ENCODER, SETTINGS.seed)
    trained, reports = run(boxes, replace(SETTINGS, epochs=6))
    assert separation(trained, boxes) > separation(untrained, boxes) + 0.1
    assert reports[-1].figures["loss/contrast"] < reports[0].figures["loss/contrast"]
    assert all(report.figures["clusters"] >= 2 for report in reports)
    assert [report.epoch for report in reports] == list(range(6))
    assert reports[0].figures["agreement/seen"] == len(boxes.images)


@pytest.mark.parametrize("weights_of_cameras", [(0.0, 0.0), (1.0, 0.5)])
def test_a_run_that_was_killed_at_any_step_ends_the_same(
    boxes: Boxes, weights_of_cameras: tuple[float, float]
) -> None:
    """Of three epochs with three pieces of images that are embedded, and four steps."""
    recorder = Recorder()
    within, across = weights_of_cameras
    settings = replace(
        SETTINGS, camera_contrast=replace(SETTINGS.camera_contrast, within=within, across=across)
    )
    undisturbed, reports = run(boxes, settings, recorder)
    assert len(recorder.states) == 3 * (3 + 4)
    for killed_after in (0, 2, 3, 6, 8, 11, 20):
        resumed, later = run(boxes, settings, Recorder(recorder.states[killed_after]))
        assert same(weights(resumed), weights(undisturbed)), killed_after
        missed = len(reports) - len(later)
        assert missed == killed_after // 7
        assert [comparable(report) for report in later] == [comparable(report) for report in reports[missed:]]


def test_the_contrast_of_cameras_is_told_with_its_weight_and_teaches(boxes: Boxes) -> None:
    """The first step of a weight twice as large costs twice as much, and leads elsewhere."""
    settings = replace(SETTINGS, epochs=1, steps_per_epoch=1)
    told, trained = [], []
    for within, across in ((0.0, 0.0), (1.0, 0.5), (2.0, 0.5)):
        contrast = replace(SETTINGS.camera_contrast, within=within, across=across)
        encoder, (report,) = run(boxes, replace(settings, camera_contrast=contrast))
        told.append(report.figures)
        trained.append(weights(encoder))
    assert "loss/within_camera" not in told[0] and "loss/across_cameras" not in told[0]
    assert told[2]["loss/within_camera"] == pytest.approx(2 * told[1]["loss/within_camera"], rel=1e-4)
    assert told[2]["loss/across_cameras"] == pytest.approx(told[1]["loss/across_cameras"], rel=1e-4)
    assert not same(trained[0], trained[1]) and not same(trained[1], trained[2])


def test_another_seed_gives_another_encoder(boxes: Boxes) -> None:
    first, _ = run(boxes, replace(SETTINGS, epochs=1))
    again, _ = run(boxes, replace(SETTINGS, epochs=1))
    other, _ = run(boxes, replace(SETTINGS, epochs=1, seed=4))
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


def test_too_few_clusters_is_said_with_the_remedy(boxes: Boxes) -> None:
    lonely = replace(SETTINGS, clustering=replace(CLUSTERING, eps=0.01, min_samples=4))
    with pytest.raises(GenreidError, match=r"clusters.*raise eps"):
        run(boxes, lonely)


def test_a_loss_that_is_not_finite_stops_the_run_before_the_step(boxes: Boxes) -> None:
    encoder = build_encoder(ENCODER, 0)
    before = weights(encoder)
    broken = replace(SETTINGS, temperature=float("nan"))
    reports = warm_up(
        encoder,
        boxes.images,
        broken,
        device=CPU,
        checkpoints=Forgetful(),
        progress=Silent(),
        agreement=boxes.agreement,
    )
    with pytest.raises(FloatingPointError, match="loss contrast is nan at epoch 0, step 0"):
        finish(reports)
    learnt = {name for name, _ in encoder.named_parameters()}
    assert same({name: before[name] for name in learnt}, {name: weights(encoder)[name] for name in learnt})


def separation(encoder: IdentityEncoder, boxes: Boxes) -> float:
    """Mean cosine within an identity less the mean between identities."""
    features = embed_all(encoder, boxes.images, 16, CPU)
    cosine = (features @ features.T).numpy()
    equal = boxes.person_id[:, None] == boxes.person_id[None]
    np.fill_diagonal(equal, False)
    different = boxes.person_id[:, None] != boxes.person_id[None]
    return float(cosine[equal].mean() - cosine[different].mean())


def test_embeddings_are_unit_rows_in_order(boxes: Boxes) -> None:
    encoder = build_encoder(ENCODER, 0)
    features = embed_all(encoder, boxes.images, 7, CPU)
    assert torch.allclose(features.norm(dim=1), torch.ones(len(boxes.images)), atol=1e-5)
    assert torch.allclose(features, embed_all(encoder, boxes.images, 36, CPU), atol=1e-5)
