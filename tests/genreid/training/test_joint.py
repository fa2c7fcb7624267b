"""Joint training, beyond what the reference holds: a kill changes nothing; what cannot be is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from genreid.clustering.pseudo_labels import PseudoLabels
from genreid.data.transforms import normalise
from genreid.errors import GenreidError
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.models.settings import DiscriminatorSettings
from genreid.progress import Forgetful, Report, Silent
from genreid.training import joint
from genreid.training.joint import train_joint
from genreid.training.networks import Networks
from genreid.training.settings.cameras import CameraContrastSettings
from genreid.training.settings.joint import ContrastSettings, JointSettings

from .conftest import CLUSTERING, CPU, ENCODER, GENERATION, GENERATOR, NO_AUGMENTATION, Boxes
from .harness import Recorder, comparable, finish, same, weights

CONTRAST = ContrastSettings(
    views="generated",
    background="own",
    camera_colours=False,
    mixup="d_mixup",
    mixup_partner="random",
    mixup_mesh="own",
    memory="instance",
    rotation_weight=1.0,
    prototype_weight=1.0,
    mixup_weight=1.0,
    rotation_temperature=0.04,
    prototype_temperature=0.05,
    num_negatives=16,
    keep_old=0.2,
    memory_of="image",
    third_term_negatives="own",
)
SETTINGS = JointSettings(
    seed=5,
    precision="float32",
    oracle="none",
    contrast=CONTRAST,
    clustering=CLUSTERING,
    cluster_on="memory",
    cluster_views="none",
    camera_centred=True,
    camera_contrast=CameraContrastSettings(within=0.0, across=0.0, temperature=0.07, num_negatives=50),
    mirror=0.0,
    generation=GENERATION,
    generator="learns",
    generator_every=1,
    contrast_teaches_generator=True,
    generated_batchnorm="separate",
    rank_statistics="synchronised",
    detach_appearance=False,
    augmentation=replace(NO_AUGMENTATION, flip=0.5, erase=0.5),
    epochs=2,
    steps_per_epoch=3,
    batch_size=6,
    lr=1e-2,
    momentum=0.9,
    weight_decay=5e-4,
    lr_step_epochs=1,
    embed_batch_size=16,
    picture_every=0,
)


def networks() -> Networks:
    encoder = build_encoder(ENCODER, 0)
    return Networks(
        encoder,
        build_generator(GENERATOR, encoder.appearance_dim, 4, 0),
        build_discriminator(DiscriminatorSettings(width=4, num_blocks=1, num_scales=2), 0),
    )


def run(
    boxes: Boxes,
    settings: JointSettings,
    checkpoints: Any = None,
    start: Networks | None = None,
    true_labels: PseudoLabels | None = None,
) -> tuple[Networks, list[Report]]:
    trained = start or networks()
    reports = train_joint(
        trained,
        boxes.images,
        boxes.loader,
        settings,
        device=CPU,
        checkpoints=checkpoints or Forgetful(),
        progress=Silent(),
        agreement=boxes.agreement,
        true_labels=true_labels,
    )
    return trained, finish(reports)


@pytest.mark.parametrize("memory", ["instance", "cluster"])
def test_a_run_that_was_killed_at_any_step_ends_the_same(boxes: Boxes, memory: Any) -> None:
    contrast = replace(CONTRAST, memory=memory, background="other_cameras")
    generation = replace(GENERATION, same_person=2.0)
    settings = replace(SETTINGS, contrast=contrast, generation=generation, cluster_on="fresh")
    recorder = Recorder()
    undisturbed, reports = run(boxes, settings, recorder)
    # Three pieces of the features, three steps, and again.
    for killed_after in (0, 3, 5, 7, 9):
        resumed, later = run(boxes, settings, Recorder(recorder.states[killed_after]))
        for name, network in vars(undisturbed).items():
            assert same(weights(network), weights(vars(resumed)[name])), (killed_after, name)
        assert comparable(later[-1]) == comparable(reports[-1])


def test_a_run_on_views_that_was_killed_at_any_state_ends_the_same(boxes: Boxes) -> None:
    """Six pieces of the features at first, for what is clustered and for the memory."""
    contrast = replace(CONTRAST, views="warped", mixup="none", background="other_cameras")
    settings = replace(SETTINGS, contrast=contrast, cluster_on="fresh", cluster_views="turned", mirror=0.5)
    recorder = Recorder()
    undisturbed, reports = run(boxes, settings, recorder)
    assert len(recorder.states) == 6 + 3 + 3 + 3
    for killed_after in (1, 2, 4, 7, 10, 13):
        resumed, later = run(boxes, settings, Recorder(recorder.states[killed_after]))
        assert same(weights(undisturbed.encoder), weights(resumed.encoder)), killed_after
        assert comparable(later[-1]) == comparable(reports[-1])


def test_images_without_a_mesh_cluster_but_make_no_batch(
    boxes: Boxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one has no mesh: it has a pseudo-identity, and in two passes of the others never its turn."""
    last, drawn, recorder = len(boxes.images) - 1, [], Recorder()
    step = joint.joint_step

    def recorded(parts: Networks, optimisers: Any, batch: Any, *arguments: Any) -> dict[str, torch.Tensor]:
        drawn.extend(batch.index.tolist())
        return step(parts, optimisers, batch, *arguments)

    monkeypatch.setattr(joint, "joint_step", recorded)
    run(boxes, replace(SETTINGS, epochs=1, steps_per_epoch=2 * last // SETTINGS.batch_size), recorder)
    labels = torch.load(io.BytesIO(recorder.states[-1]), weights_only=True)["tensors"]["labels"]
    assert labels[last] >= 0
    assert set(drawn) == {image for image in range(last) if labels[image] >= 0}


def test_cluster_memory_cannot_be_clustered_on(boxes: Boxes) -> None:
    with pytest.raises(GenreidError, match=r"set `train_joint\.cluster_on: fresh`"):
        run(boxes, replace(SETTINGS, contrast=replace(CONTRAST, memory="cluster")))


def test_the_memory_is_not_clustered_on_where_views_are_to_be(boxes: Boxes) -> None:
    with pytest.raises(
        GenreidError, match=r"cluster_views is `turned`.* set `train_joint\.cluster_on: fresh`"
    ):
        run(boxes, replace(SETTINGS, cluster_views="turned"))


def test_a_memory_of_views_needs_views(boxes: Boxes) -> None:
    with pytest.raises(GenreidError, match=r"set `train_joint\.contrast\.memory_of: image`"):
        run(boxes, replace(SETTINGS, contrast=replace(CONTRAST, memory_of="views", views="none")))


def test_a_person_before_the_own_background_is_no_second_view(boxes: Boxes) -> None:
    with pytest.raises(GenreidError, match=r"contrast.camera_colours is true, .*camera_colours: false"):
        replace(SETTINGS.contrast, camera_colours=True, background="own")
    with pytest.raises(GenreidError, match=r"contrast.background: other_cameras"):
        run(boxes, replace(SETTINGS, contrast=replace(CONTRAST, views="copy_paste")))


def test_the_generator_learns_in_every_so_many_steps(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six steps in two epochs of three: G and D learn in every other one, R1 in every other of those."""
    seen, step = [], joint.joint_step

    def recorded(parts: Networks, *arguments: Any) -> dict[str, torch.Tensor]:
        before = [weights(network) for network in (parts.generator, parts.discriminator)]
        losses = step(parts, *arguments)
        moved = [
            not same(old, weights(network))
            for old, network in zip(before, (parts.generator, parts.discriminator), strict=True)
        ]
        seen.append((*moved, "loss/image" in losses, "discriminator/r1" in losses))
        return losses

    monkeypatch.setattr(joint, "joint_step", recorded)
    generation = replace(GENERATION, r1_every=2, r1=1.0)
    run(boxes, replace(SETTINGS, generator_every=2, generation=generation))
    rests = (False,) * 4
    assert seen == [(True,) * 4, rests, (True, True, True, False), rests, (True,) * 4, rests]


@pytest.mark.parametrize("generator", ["learns", "frozen"])
def test_gradients_of_the_generator_are_worked_out_where_it_learns(boxes: Boxes, generator: Any) -> None:
    """Whatever the run before has left it at."""
    start = networks()
    for parameter in start.generator.parameters():
        parameter.requires_grad_(generator == "frozen")
    before = weights(start.generator)
    run(boxes, replace(SETTINGS, generator=generator, epochs=1, steps_per_epoch=1), start=start)
    learns = generator == "learns"
    assert {parameter.requires_grad for parameter in start.generator.parameters()} == {learns}
    assert same(before, weights(start.generator)) != learns


def test_an_oracle_s_labels_are_what_every_batch_is_drawn_to(
    boxes: Boxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels, one of them unknown, reach the targets as they are; prototypes are the means of theirs."""
    told = boxes.person_id - 1
    told[3], step = -1, joint.joint_step
    seen: list[tuple[int, int]] = []
    encoder = networks().encoder.eval()
    with torch.no_grad():
        rows = encoder(normalise(boxes.images.load(np.arange(len(told))))).embedding
    means = torch.stack([rows[told == person].mean(dim=0) for person in range(told.max() + 1)])

    def recorded(parts: Networks, optimisers: Any, batch: Any, targets: Any, *rest: Any) -> Any:
        seen.extend(zip(batch.index.tolist(), targets.members.labels_of(batch.index).tolist(), strict=True))
        if len(seen) == SETTINGS.batch_size:
            assert torch.allclose(targets.prototypes, F.normalize(means, dim=1), atol=1e-5)
        return step(parts, optimisers, batch, targets, *rest)

    monkeypatch.setattr(joint, "joint_step", recorded)
    settings = replace(SETTINGS, oracle="true_labels", epochs=2, steps_per_epoch=6)
    _, reports = run(boxes, settings, true_labels=PseudoLabels(told))
    assert len({image for image, _ in seen}) > 30 and 3 not in dict(seen)
    assert all(label == told[image] for image, label in seen)
    assert [report.figures["clusters"] for report in reports] == [told.max() + 1] * 2
    assert [report.figures["outliers"] for report in reports] == [1, 1]


@pytest.mark.parametrize("oracle", ["true_labels", "true_views_and_labels"])
def test_labels_are_told_where_settings_want_them(boxes: Boxes, oracle: Any) -> None:
    settings = replace(SETTINGS, oracle=oracle, contrast=replace(CONTRAST, views="warped"))
    with pytest.raises(AssertionError):
        run(boxes, settings)
    with pytest.raises(AssertionError):
        run(boxes, SETTINGS, true_labels=PseudoLabels(boxes.person_id))


@pytest.mark.parametrize("oracle", ["true_views", "true_views_and_labels"])
def test_true_views_stand_in_the_place_of_warped_ones(oracle: Any) -> None:
    expected = rf"oracle is {oracle}, .*views is `generated`: set `train_joint\.contrast\.views: warped`"
    with pytest.raises(GenreidError, match=expected):
        replace(SETTINGS, oracle=oracle)
