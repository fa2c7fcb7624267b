"""What the stages hand to the science and what they write: each artifact from its own file, settings whole.

The loops themselves are put out of the way: in their place stands one that notes what it was given, and
leaves a mark in the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from genreid.clustering.pseudo_labels import PseudoLabels
from genreid.data.transforms import denormalise, normalise, normalise_mesh
from genreid.evaluation.ranking import rank_from_distances
from genreid.evaluation.reranking import rerank
from genreid.evaluation.settings import RerankingSettings
from genreid.mesh.shards import encode_mask, mesh_table, read_mesh_table
from genreid.models.checkpoint import (
    encoder_checkpoint,
    generator_checkpoint,
    joint_checkpoint,
    load_encoder,
    load_generator,
)
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.models.settings import DiscriminatorSettings
from genreid.progress import Report
from genreid.training import generator as pretraining
from genreid.training import joint, warm_up
from genreid.training.loader import Holds, Loader
from genreid.training.settings.joint import JointSettings
from pipeline.artifacts import write_table, write_torch
from pipeline.params import load_params, section
from tests.genreid.training.conftest import ENCODER, GENERATOR
from tests.stages.odd_project import NUM_IMAGES, PREPARED, open_body_fingerprint, write_inputs
from tests.stages.small_project import SmallProject

NUM_TRAIN = 4
PERSONS = np.arange(NUM_IMAGES) // 2 % 4 + 1


@pytest.fixture
def project(small: SmallProject) -> SmallProject:
    """Images of four persons, the last ones of another split; checkpoints of networks that all differ."""
    write_inputs(small)
    share_out(small, "query", "query")
    models = small.folder / "models"
    write_torch(models / "encoder.pt", encoder_checkpoint(build_encoder(ENCODER, 1), PREPARED))
    write_torch(models / "generator.pt", generator_checkpoint(*painters(2), PREPARED))
    write_torch(models / "joint.pt", joint_checkpoint(build_encoder(ENCODER, 3), *painters(3), PREPARED))
    (models / "regressor.pt").write_bytes(b"not read in these cases")
    return small


def share_out(project: SmallProject, *later: str) -> None:
    """Give the images their persons, and the last ones the splits `later`, in turn."""
    path = project.folder / "data" / "manifest.parquet"
    table = pq.read_table(path)
    splits = ["train"] * NUM_TRAIN + [later[n % len(later)] for n in range(NUM_IMAGES - NUM_TRAIN)]
    for name, values in (("split", splits), ("person_id", PERSONS.tolist())):
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        table = table.set_column(place, field, pa.array(values).cast(field.type))
    write_table(path, table)


def painters(seed: int, paints: Literal["codes", "views"] = "codes") -> tuple[Generator, Discriminator]:
    dim, stripes = build_encoder(ENCODER, 0).appearance_dim, ENCODER.num_stripes
    generator = build_generator(replace(GENERATOR, paints=paints), dim, stripes, seed)
    return generator, build_discriminator(DiscriminatorSettings(4, 1, 1), seed)


def same(one: nn.Module, other: nn.Module) -> bool:
    state = other.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in one.state_dict().items())


def read(project: SmallProject, name: str) -> dict[str, Any]:
    return torch.load(project.folder / "models" / f"{name}.pt", weights_only=True)


class Noted:
    """A loop that learns nothing: it notes what it was given, checks it, and marks the networks."""

    def __init__(self, check: Callable[..., list[nn.Module]]) -> None:
        self.check, self.called = check, False

    def __call__(self, *given: Any, **named: Any) -> Iterator[Report]:
        self.called = True
        for network in self.check(*given, **named):
            with torch.no_grad():
                next(network.parameters()).fill_(0.25)
        yield Report(0, 1, {"loss/mark": 0.5}, {})


def marked(network: nn.Module) -> bool:
    return bool((next(network.parameters()) == 0.25).all())


def check_common(images: Any, settings: Any, named: dict[str, Any], seed: int) -> None:
    assert images.image_id == [f"{number:02d}.png" for number in range(NUM_TRAIN)]
    assert settings.seed == seed and named["device"] == torch.device("cpu")
    if "agreement" in named:
        assert named["agreement"](PseudoLabels(PERSONS[:NUM_TRAIN] * 2)) == {"ari": 1.0}
        assert named["agreement"](PseudoLabels(np.arange(NUM_TRAIN) % 2))["ari"] < 0.5


def test_the_warm_up_trains_an_encoder_of_its_section(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.set(pretrain_encoder__seed=5)

    def check(encoder: IdentityEncoder, images: Any, settings: Any, **named: Any) -> list[nn.Module]:
        check_common(images, settings, named, seed=5)
        assert same(encoder, build_encoder(settings.encoder, 5))
        return [encoder]

    loop = Noted(check)
    monkeypatch.setattr(warm_up, "warm_up", loop)
    outcome = project.run("pretrain-encoder", "--no-progress")
    assert outcome.code == 0 and loop.called, outcome.err
    assert marked(load_encoder(read(project, "encoder")))


def test_the_generator_is_pretrained_by_the_warm_up_encoder(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.set(pretrain_generator__seed=6)

    def check(
        generator: Any,
        discriminator: Any,
        encoder: Any,
        images: Any,
        loader: Any,
        settings: Any,
        **named: Any,
    ) -> list[nn.Module]:
        check_common(images, settings, named, seed=6)
        assert same(encoder, build_encoder(ENCODER, 1))
        built = build_generator(settings.generator, encoder.appearance_dim, ENCODER.num_stripes, 6)
        assert same(generator, built) and same(discriminator, build_discriminator(settings.discriminator, 6))
        assert loader.with_mesh.tolist() == list(range(NUM_TRAIN)) and loader.yaws_deg.tolist() == [90]
        return [generator, discriminator]

    loop = Noted(check)
    monkeypatch.setattr(pretraining, "pretrain_generator", loop)
    outcome = project.run("pretrain-generator", "--no-progress")
    assert outcome.code == 0 and loop.called, outcome.err
    assert all(marked(network) for network in load_generator(read(project, "generator")))


def test_a_generator_that_repairs_is_shown_canvases(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.set(pretrain_generator__generator__paints="views")

    def check(generator: Any, discriminator: Any, encoder: Any, images: Any, loader: Any, *_: Any, **__: Any):
        assert generator.repairs
        index = np.arange(2)
        batch = loader.batch_at(index, np.full(2, 90, np.int16), Holds(canvases=True), positives=index[::-1])
        for canvas in vars(batch.canvases).values():
            assert canvas.shape[1] == 7
        return [generator]

    loop = Noted(check)
    monkeypatch.setattr(pretraining, "pretrain_generator", loop)
    outcome = project.run("pretrain-generator", "--no-progress")
    assert outcome.code == 0 and loop.called, outcome.err
    outcome = project.run("train-joint", "--no-progress")
    assert outcome.code == 2 and "set train_joint.contrast.mixup to body" in outcome.err
    project.set(pretrain_generator__generator__paints="codes")  # but it has not run again
    outcome = project.run("train-joint", "--no-progress")
    assert outcome.code == 2 and "set `train_joint.contrast.mixup: body`" in outcome.err


PASTED = {"views": "copy_paste", "mixup": "none", "background": "other_cameras", "camera_colours": False}


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("pretrain-generator", {"generator": {"paints": "codes"}, "generation": {"same_person": 5.0}}),
        ("train-joint", {"contrast": PASTED, "cluster_views": "none"}),
        ("train-joint", {"contrast": PASTED | {"views": "warped"}}),
    ],
)
def test_persons_are_cut_out_along_the_masks_of_the_meshes(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch, stage: str, changes: dict[str, Any]
) -> None:
    mask = np.zeros((64, 32), np.uint8)
    mask[:, 8:20] = 255
    write_masks(project, mask)
    name = stage.replace("-", "_")
    for key, value in changes.items():
        nested = value.items() if isinstance(value, dict) else [("", value)]
        project.set(**{"__".join(filter(None, (name, key, part))): wanted for part, wanted in nested})

    def check(*given: Any, **_: Any) -> list[nn.Module]:
        (loader,) = [one for one in given if isinstance(one, Loader)]
        index = np.arange(2)
        batch = loader.batch_at(index, np.full(2, 90, np.int16), Holds(persons=True), positives=index)
        for share in (batch.person, batch.positive_person):
            assert np.array_equal(share[:, 0].numpy(), np.stack([mask, mask]) / 255)
        return []

    loop = Noted(check)
    monkeypatch.setattr(pretraining if stage == "pretrain-generator" else joint, name, loop)
    outcome = project.run(stage, "--no-progress")
    assert loop.called and outcome.code == 0, outcome.err


def write_masks(project: SmallProject, mask: np.ndarray) -> None:
    path = project.folder / "data" / "mesh" / "part-00000.parquet"
    ids, meshes = read_mesh_table(pq.read_table(path), open_body_fingerprint())
    known = replace(meshes, masks=[encode_mask(mask)] * len(ids))
    write_table(path, mesh_table(ids, known, "romp", open_body_fingerprint()))


def test_evaluation_looks_at_repaired_views(project: SmallProject) -> None:
    """Of a generator that has learnt nothing, and of bodies that stand beside their images: the images."""
    share_out(project, "query", "gallery")
    networks = build_encoder(ENCODER, 3), *painters(3, "views")
    write_torch(project.folder / "models" / "joint.pt", joint_checkpoint(*networks, PREPARED))
    outcome = project.run("evaluate", "--no-progress")
    assert outcome.code == 0, outcome.err
    assert project.metrics()["views"]["reconstruction_l1"] == 0


def test_joint_training_goes_on_from_both(project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.set(train_joint__seed=7, train_joint__lr=0.123)
    expected = section(load_params(project.folder / "params.yaml"), "train_joint", JointSettings)

    def check(networks: Any, images: Any, loader: Any, settings: Any, **named: Any) -> list[nn.Module]:
        check_common(images, settings, named, seed=7)
        assert settings == expected and settings.lr == 0.123
        generator, discriminator = painters(2)
        assert same(networks.encoder, build_encoder(ENCODER, 1))
        assert same(networks.generator, generator) and same(networks.discriminator, discriminator)
        assert loader.with_mesh.tolist() == list(range(NUM_TRAIN))
        return list(vars(networks).values())

    loop = Noted(check)
    monkeypatch.setattr(joint, "train_joint", loop)
    outcome = project.run("train-joint", "--no-progress")
    assert outcome.code == 0 and loop.called, outcome.err
    saved = read(project, "joint")
    assert marked(load_encoder(saved)) and all(marked(network) for network in load_generator(saved))
    assert not marked(load_encoder(read(project, "encoder")))


def test_evaluation_holds_both_encoders_and_the_joint_generator(project: SmallProject) -> None:
    share_out(project, "query", "gallery")
    reranking = RerankingSettings(k1=2, k2=1, original_weight=0.4)
    project.set(evaluate__reranking=vars(reranking))
    outcome = project.run("evaluate", "--no-progress")
    assert outcome.code == 0, outcome.err
    metrics = project.metrics()

    pixels = [
        cv2.imread(str(project.folder / "data" / "images" / f"{number:02d}.png"))[..., ::-1]
        for number in range(NUM_TRAIN, NUM_IMAGES)
    ]
    images, persons = np.stack(pixels), PERSONS[NUM_TRAIN:]
    cameras = 1 + np.arange(NUM_TRAIN, NUM_IMAGES) % 2
    queries, gallery = slice(0, None, 2), slice(1, None, 2)
    for name, file in (("warm_up", "encoder"), ("joint", "joint")):
        encoder = load_encoder(read(project, file))
        with torch.no_grad():
            rows = encoder(normalise(images)).embedding.numpy()
        labels = persons[queries], cameras[queries], persons[gallery], cameras[gallery]
        for kind, distances in (
            ("mAP", -rows[queries] @ rows[gallery].T),
            ("reranked_mAP", rerank(rows[queries], rows[gallery], reranking)),
        ):
            expected = rank_from_distances(distances, *labels, max_rank=10)
            assert metrics[name][kind] == pytest.approx(100 * expected.mean_ap, abs=1e-4), (name, kind)

    assert metrics["warm_up"]["mAP"] != metrics["joint"]["mAP"], "the comparison can tell them apart"

    generator, _ = load_generator(read(project, "joint"))
    encoder = load_encoder(read(project, "joint"))
    with torch.no_grad():
        codes = encoder(normalise(images[queries])).appearance
        painted = denormalise(generator(normalise_mesh(images[queries][..., 2]), codes))
    error = np.abs(painted.astype(float) - images[queries]).mean() / 255
    assert metrics["views"]["reconstruction_l1"] == pytest.approx(error, abs=1e-5)


@pytest.mark.parametrize("splits", [["train"], ["query"], ["train", "query"]])
def test_meshes_and_views_are_of_the_splits_that_are_asked_for(
    project: SmallProject, splits: list[str]
) -> None:
    project.set(mesh_extract__estimator="mean_pose", mesh_extract__splits=splits)
    project.set(render_views__splits=splits, render_views__yaws_deg=[0, 45, 90])
    assert project.run("mesh-extract", "--no-progress").code == 0
    assert project.run("render-views", "--no-progress").code == 0
    numbers = {"train": range(NUM_TRAIN), "query": range(NUM_TRAIN, NUM_IMAGES)}
    expected = [f"{number:02d}.png" for split in sorted(splits, reverse=True) for number in numbers[split]]
    ids, found = meshes(project.folder)
    assert sorted(ids) == sorted(expected) and found.valid.all()
    views = pa.concat_tables(pq.read_table(part) for part in parts(project.folder / "data" / "views"))
    assert sorted(set(views["image_id"].to_pylist())) == sorted(expected)
    assert set(views["yaw_deg"].to_pylist()) == {0, 45, 90}


def test_headings_are_made_worse_as_asked(project: SmallProject) -> None:
    project.set(mesh_extract__estimator="mean_pose", mesh_extract__splits=["train"])
    turned = {}
    for noise, seed in ((0.0, 1), (30.0, 1), (30.0, 2)):
        project.set(mesh_extract__heading_noise_deg=noise, mesh_extract__seed=seed)
        assert project.run("mesh-extract", "--no-progress").code == 0
        turned[noise, seed] = meshes(project.folder)[1].parameters.global_orient
    assert torch.equal(turned[0.0, 1], turned[0.0, 1][:1].expand(NUM_TRAIN, -1)), "one pose for everybody"
    assert len(torch.unique(turned[30.0, 1], dim=0)) == NUM_TRAIN
    assert not torch.equal(turned[30.0, 1], turned[30.0, 2])


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def meshes(folder: Path) -> tuple[list[str], Any]:
    table = pa.concat_tables(pq.read_table(part) for part in parts(folder / "data" / "mesh"))
    return read_mesh_table(table, open_body_fingerprint())
