"""Joint training on coloured boxes: every switch runs and does what it says, and a kill changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from genreid.clustering.memory import InstanceMemory, Members
from genreid.errors import GenreidError
from genreid.models.batchnorm import generated_images
from genreid.models.discriminator import DiscriminatorSettings
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.progress import Forgetful, Report, Silent
from genreid.training import joint
from genreid.training.contrast import ContrastSettings, Embeddings, rotation_contrast
from genreid.training.joint import train_joint
from genreid.training.joint_settings import JointSettings, Networks
from genreid.training.mixing import Mix
from genreid.training.second_views import embed_views, paint_views

from .conftest import CLUSTERING, CPU, ENCODER, GENERATION, GENERATOR, NO_AUGMENTATION, Boxes
from .harness import Recorder, comparable, finish, same, weights

CONTRAST = ContrastSettings(
    views="generated",
    street="own",
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
    third_term_negatives="own",
)
SETTINGS = JointSettings(
    seed=5,
    precision="float32",
    compile=False,
    contrast=CONTRAST,
    clustering=CLUSTERING,
    cluster_on="memory",
    camera_centred=True,
    generation=GENERATION,
    generator="learns",
    generator_every=1,
    contrast_teaches_generator=True,
    generated_batchnorm="separate",
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


def run(boxes: Boxes, settings: JointSettings, checkpoints: Any = None) -> tuple[Networks, list[Report]]:
    trained = networks()
    reports = train_joint(
        trained,
        boxes.images,
        boxes.feed,
        settings,
        device=CPU,
        checkpoints=checkpoints or Forgetful(),
        progress=Silent(),
        agreement=boxes.agreement,
    )
    return trained, finish(reports)


def terms(report: Report) -> set[str]:
    return {name.removeprefix("loss/") for name in report.figures if name.startswith("loss/")}


GENERATOR_TERMS = {"adversarial", "image", "cycle", "feature"}
ALL_TERMS = {"rotation", "prototype", "mixup"} | GENERATOR_TERMS


@pytest.mark.parametrize(
    ("contrast", "changes", "expected", "generator_moves"),
    [
        ({}, {}, ALL_TERMS, True),
        ({"mixup": "none"}, {}, {"rotation", "prototype"} | GENERATOR_TERMS, True),
        ({"views": "none"}, {}, ALL_TERMS, True),
        ({"views": "none", "mixup": "none"}, {}, {"rotation", "prototype"}, False),
        ({"views": "augmented", "mixup": "none"}, {}, {"rotation", "prototype"}, False),
        ({"views": "none", "mixup": "mixup"}, {}, {"rotation", "prototype", "mixup"}, False),
        ({"views": "none", "mixup": "f_mixup"}, {}, {"rotation", "prototype", "mixup"}, False),
        ({}, {"generator": "frozen"}, {"rotation", "prototype", "mixup"}, False),
        ({}, {"generated_batchnorm": "shared"}, ALL_TERMS, True),
        ({}, {"generated_batchnorm": "frozen"}, ALL_TERMS, True),
        (
            {"memory": "cluster"},
            {"cluster_on": "fresh"},
            {"rotation", "prototype", "mixup"} | GENERATOR_TERMS,
            True,
        ),
        ({"third_term_negatives": "rotated"}, {}, ALL_TERMS, True),
        ({"street": "other_cameras"}, {}, ALL_TERMS, True),
        ({"street": "other_cameras"}, {"generator": "frozen"}, {"rotation", "prototype", "mixup"}, False),
        ({"street": "other_cameras", "views": "none"}, {}, ALL_TERMS, True),
        (
            {"street": "other_cameras", "views": "pasted", "mixup": "none"},
            {},
            {"rotation", "prototype"},
            False,
        ),
        (
            {},
            {"generation": replace(GENERATION, same_person=2.0)},
            ALL_TERMS | {"same_person"},
            True,
        ),
    ],
)
def test_every_switch(
    boxes: Boxes, contrast: dict, changes: dict, expected: set[str], generator_moves: bool
) -> None:
    settings = replace(SETTINGS, epochs=1, contrast=replace(CONTRAST, **contrast), **changes)
    trained, (report,) = run(boxes, settings)
    before = networks()
    assert terms(report) == expected
    assert all(np.isfinite(value) for value in report.figures.values())
    assert not same(weights(trained.encoder), weights(before.encoder))
    assert same(weights(trained.generator), weights(before.generator)) is not generator_moves
    assert same(weights(trained.discriminator), weights(before.discriminator)) is not generator_moves


def test_switches_change_the_result(boxes: Boxes) -> None:
    base, _ = run(boxes, replace(SETTINGS, epochs=1))
    for change in (
        {"detach_appearance": True},
        {"generated_batchnorm": "frozen"},
        {"generated_batchnorm": "shared"},
        {"contrast": replace(CONTRAST, third_term_negatives="rotated")},
        {"contrast": replace(CONTRAST, mixup="f_mixup")},
        {"contrast": replace(CONTRAST, keep_old=0.9)},
        {"contrast": replace(CONTRAST, street="other_cameras")},
        {"generation": replace(GENERATION, same_person=2.0)},
    ):
        other, _ = run(boxes, replace(SETTINGS, epochs=1, **change))
        assert not same(weights(base.encoder), weights(other.encoder)), change


@pytest.mark.parametrize("memory", ["instance", "cluster"])
def test_a_run_that_was_killed_at_any_step_ends_the_same(boxes: Boxes, memory: Any) -> None:
    contrast = replace(CONTRAST, memory=memory, street="other_cameras")
    generation = replace(GENERATION, same_person=2.0)
    settings = replace(SETTINGS, contrast=contrast, generation=generation, cluster_on="fresh")
    recorder = Recorder()
    undisturbed, reports = run(boxes, settings, recorder)
    for killed_after in (0, 2, 4):
        resumed, later = run(boxes, settings, Recorder(recorder.states[killed_after]))
        for name, network in vars(undisturbed).items():
            assert same(weights(network), weights(vars(resumed)[name])), (killed_after, name)
        assert comparable(later[-1]) == comparable(reports[-1])


def test_batchnorm_counts_real_images_alone(boxes: Boxes) -> None:
    """With `separate`, the running statistics are what the real batches alone would leave."""
    trained, _ = run(boxes, replace(SETTINGS, epochs=1))
    counted = trained.encoder.state_dict()["neck.num_batches_tracked"].item()
    assert counted == SETTINGS.steps_per_epoch
    shared, _ = run(boxes, replace(SETTINGS, epochs=1, generated_batchnorm="shared"))
    assert shared.encoder.state_dict()["neck.num_batches_tracked"].item() == 3 * SETTINGS.steps_per_epoch


def test_images_without_a_mesh_cluster_but_make_no_batch(boxes: Boxes) -> None:
    assert len(boxes.images) - 1 not in boxes.feed.with_mesh
    _, (report,) = run(boxes, replace(SETTINGS, epochs=1))
    assert report.figures["agreement/seen"] == len(boxes.images)


def test_rotation_contrast_is_the_sum_of_three_cross_entropies() -> None:
    """Against NumPy, with one other member a cluster so that the positive is not random."""
    rng = np.random.default_rng(0)

    def unit(num: int) -> np.ndarray:
        rows = rng.normal(size=(num, 5))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    bank, real, turned = unit(7), unit(2), unit(2)
    labels = np.array([0, 0, 1, 1, 2, -1, 2])
    index, positive = [0, 4], [1, 6]
    memory = InstanceMemory.empty(7, 5, CPU)
    memory.fill(torch.from_numpy(bank))
    loss = rotation_contrast(
        Embeddings(torch.from_numpy(real), torch.from_numpy(turned), None),
        torch.tensor(index),
        Members.of(labels),
        memory,
        CONTRAST,
        torch.Generator().manual_seed(0),
    )

    def cross_entropy(query: np.ndarray, row: int, image: int) -> float:
        others = [j for j in range(7) if labels[j] >= 0 and labels[j] != labels[image]]
        scores = np.exp(np.array([query @ bank[j] for j in [row, *others]]) / CONTRAST.rotation_temperature)
        return -np.log(scores[0] / scores.sum())

    expected = np.mean(
        [
            cross_entropy(turned[i], image, image)
            + cross_entropy(turned[i], positive[i], image)
            + cross_entropy(real[i], positive[i], image)
            for i, image in enumerate(index)
        ]
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_cluster_memory_cannot_be_clustered_on(boxes: Boxes) -> None:
    with pytest.raises(GenreidError, match=r"set `train_joint\.cluster_on: fresh`"):
        run(boxes, replace(SETTINGS, contrast=replace(CONTRAST, memory="cluster")))


def test_a_person_pasted_into_the_own_street_is_no_second_view(boxes: Boxes) -> None:
    with pytest.raises(GenreidError, match=r"contrast.street: other_cameras"):
        run(boxes, replace(SETTINGS, contrast=replace(CONTRAST, views="pasted")))


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


@pytest.mark.parametrize("teaches", [True, False])
def test_the_contrast_teaches_the_generator_only_where_it_may(boxes: Boxes, teaches: bool) -> None:
    parts, settings = networks(), replace(SETTINGS, contrast_teaches_generator=teaches)
    parts.encoder.train()
    batch = boxes.feed.batch(np.array([0, 7, 13]), np.random.default_rng(0))
    mix, real = Mix(0.7, torch.tensor([2, 0, 1])), parts.encoder(batch.image)
    views, painted = paint_views(parts, batch, real, mix, settings, learns=True)
    assert views is not None and views.rotated.requires_grad
    found = embed_views(parts.encoder, batch, real, painted, mix, settings, np.random.default_rng(0))
    assert found.second is not None and found.mixed is not None
    (found.second[:, 0].sum() + found.mixed[:, 0].sum()).backward()
    reached = [parameter.grad is not None for parameter in parts.generator.parameters()]
    assert all(reached) if teaches else not any(reached)
    assert all(parameter.grad is not None for parameter in parts.encoder.backbone.parameters())


def test_second_views_in_another_street_are_embedded_as_they_are_put_there(boxes: Boxes) -> None:
    """f_θ and f_mix of a step, against pictures composed pixel by pixel and one pass for both."""
    settings = replace(SETTINGS, contrast=replace(CONTRAST, street="other_cameras"), generator="frozen")
    parts = networks()
    parts.encoder.train()
    index, streets = np.array([0, 7, 13]), np.array([4, 2, 21])
    batch = boxes.feed.batch(index, np.random.default_rng(0), streets=streets)
    mix = Mix(0.7, torch.tensor([2, 0, 1]))
    real = parts.encoder(batch.image)
    views, painted = paint_views(parts, batch, real, mix, settings, learns=False)
    assert views is None
    rng = np.random.default_rng(0)
    found = embed_views(parts.encoder, batch, real, painted, mix, settings, rng)

    rotated = parts.generator(batch.mesh_rotated, real.appearance)
    mixed = parts.generator(batch.mesh, mix.of(real.appearance))
    composed = [
        _pasted(picture, mesh, batch.street)
        for picture, mesh in ((rotated, batch.mesh_rotated), (mixed, batch.mesh))
    ]
    with generated_images(parts.encoder, "separate"):
        expected = parts.encoder(torch.cat(composed)).embedding.split(3)
    assert found.second is not None and found.mixed is not None
    assert torch.allclose(found.second, expected[0], atol=1e-4)
    assert torch.allclose(found.mixed, expected[1], atol=1e-4)


def _pasted(pictures: torch.Tensor, meshes: torch.Tensor, streets: torch.Tensor | None) -> torch.Tensor:
    """A pixel is the person's where the mesh is seen there or at one of its eight neighbours."""
    assert streets is not None
    out = streets.clone()
    num, _, height, width = pictures.shape
    for i, row, column in np.ndindex(num, height, width):
        near = meshes[i, 0, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        if bool((near > -1).any()):
            out[i, :, row, column] = pictures[i, :, row, column]
    return out
