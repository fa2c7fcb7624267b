"""What a user can get wrong, done for real: one line with place and remedy, exit code 2, no traceback.

Cases that other tests hold are not repeated: an unreadable image becomes a row with a status
(test_prepare_data), one camera leaves the figures undefined (test_retrieval, test_own_data), a second start
(test_kill), a device that is not there (test_run), an unknown key of `paths` (test_cli).
"""

from __future__ import annotations

import copy
import dataclasses
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from genreid.body.body import load_body
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.mesh.shards import MeshEstimates, mesh_table
from genreid.render.views import view_table, write_options
from genreid.synthetic.truth import TRUTH_SCHEMA
from pipeline.artifacts import write_table
from pipeline.errors import PipelineError
from pipeline.params import Params, load_params
from stages._limits import ANYTHING_ELSE, LIMITS, check_limits, limit_of
from tests.stages.small_project import ROOT, SmallProject, small

__all__ = ["small"]

YAWS = (0, 90)
NUM_IMAGES = 12


def refused(project: SmallProject, stage: str) -> str:
    """The one line that the stage ends with."""
    done = project.run(stage, "--no-progress")
    assert done.code == 2, (done.code, done.out, done.err)
    assert done.err.startswith("error: ") and done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.out
    return done.err.removeprefix("error: ").rstrip("\n")


@cache
def open_body_fingerprint() -> str:
    return load_body("open").fingerprint


def write_inputs(project: SmallProject, split: str = "train") -> None:
    """Manifest, images, an empty truth, meshes that say nobody is there, and views of all images."""
    root = project.folder / "data" / "images"
    root.mkdir(parents=True)
    rows, views = [], []
    for number in range(NUM_IMAGES):
        name = f"{number:02d}.png"
        image = np.random.default_rng(number).integers(0, 256, (64, 32, 3), dtype=np.uint8)
        cv2.imencode(".png", image)[1].tofile(root / name)
        views.append((name, [image[..., 0]] * len(YAWS)))
        row = {"image_id": name, "path": name, "split": split, "camera_id": 1 + number % 2, "status": "ok"}
        rows.append(row | {"height": 64, "width": 32, "num_bytes": (root / name).stat().st_size})
    manifest = Manifest.from_rows(rows, ManifestInfo("tiny", "data/images", 64, 32, "open"))
    write_table(project.folder / "data" / "manifest.parquet", manifest.to_table())
    write_table(project.folder / "data" / "truth.parquet", TRUTH_SCHEMA.empty_table())
    body = open_body_fingerprint()
    nobody = MeshEstimates.without_mesh(["no_person"] * NUM_IMAGES)
    write_table(
        project.folder / "data" / "mesh" / "part-00000.parquet",
        mesh_table(manifest.image_id, nobody, "romp", body),
    )
    write_table(
        project.folder / "data" / "views" / "part-00000.parquet",
        view_table(views, YAWS, body),
        **write_options(len(YAWS)),
    )


def line_of(project: SmallProject, key: str) -> int:
    return load_params(project.folder / "params.yaml").lines[key]


OUT_OF_LIMITS: list[tuple[str, Any, str]] = [
    ("prepare_data.height_px", 66, "expected at least 16 and a multiple of 4"),
    ("prepare_data.width_px", 8, "expected at least 16 and a multiple of 4"),
    ("prepare_data.val_identities", -1, "expected at least 0"),
    ("fit_regressor.num_scenes", 0, "expected at least 1"),
    ("fit_regressor.num_held_out", 0, "expected at least 1"),
    ("fit_regressor.network.widths", [8, 0], "expected at least 1"),
    ("fit_regressor.warm_up_share", 2.0, "expected at least 0 and at most 1"),
    ("fit_regressor.distortion.scale", 1.0, "expected at least 0 and less than 1"),
    ("mesh_extract.images_per_shard", 0, "expected at least 1"),
    ("render_views.yaws_deg", [45, 90], "expected 0, the image's own viewpoint, and one or more others"),
    ("render_views.yaws_deg", [0, 400], "expected at least 0 and at most 359"),
    ("render_views.images_per_shard", -3, "expected at least 1"),
    ("pretrain_encoder.clustering.eps", -1, "expected more than 0 and less than 1"),
    ("pretrain_encoder.clustering.k2", 90, "expected at most k1"),
    ("pretrain_encoder.clustering.min_samples", 0, "expected at least 1"),
    ("pretrain_encoder.augmentation.flip", 1.5, "expected at least 0 and at most 1"),
    ("pretrain_encoder.augmentation.pad_px", -2, "expected at least 0"),
    ("pretrain_encoder.lr", -0.001, "expected more than 0"),
    ("pretrain_encoder.lr_step_epochs", 0, "expected at least 1"),
    ("pretrain_encoder.temperature", 0, "expected more than 0"),
    ("pretrain_encoder.identities_per_batch", 0, "expected at least 1"),
    ("pretrain_encoder.images_per_identity", 1, "expected at least 2"),
    ("pretrain_encoder.embed_batch_size", 0, "expected at least 1"),
    ("pretrain_generator.batch_size", 0, "expected at least 2"),
    ("pretrain_generator.steps_per_epoch", 0, "expected at least 1"),
    ("pretrain_generator.generation.mixup_alpha", 0, "expected more than 0"),
    ("pretrain_generator.generation.beta2", 1, "expected at least 0 and less than 1"),
    ("pretrain_generator.generation.r1_every", 0, "expected at least 1"),
    ("train_joint.batch_size", 1, "expected at least 2"),
    ("train_joint.epochs", 0, "expected at least 1"),
    ("train_joint.momentum", 0, "expected more than 0 and less than 1"),
    ("train_joint.contrast.num_negatives", 0, "expected at least 1"),
    ("train_joint.contrast.keep_old", 1.2, "expected at least 0 and at most 1"),
    ("train_joint.contrast.rotation_weight", -1, "expected at least 0"),
    ("evaluate.batch_size", 0, "expected at least 1"),
    ("evaluate.max_rank", 0, "expected at least 1"),
    ("evaluate.num_generated", 1, "expected at least 2"),
    ("evaluate.reranking", {"k1": 20, "k2": 6, "original_weight": 3, "method": "faiss"}, "at most 1"),
]
"""Numbers, which are looked at when a stage opens."""

REFUSED: list[tuple[str, Any, str]] = [
    ("prepare_data.synthetic.train_identities", 0, "expected at least 1"),
    ("prepare_data.synthetic.num_cameras", 1, "expected at least 2"),
    ("prepare_data.folder.train", "(", "no regular expression"),
    ("prepare_data.dataset", "market1502", "did you mean 'market1501'?"),
    ("prepare_data.dataset", "market1501", "set paths.dataset to the folder of its images"),
    ("fit_regressor.lr", "fast", "expected a number, got 'fast'"),
    ("mesh_extract.splits", ["test"], "expected one of 'train', 'query'"),
    ("mesh_extract.estimator", "grond_truth", "did you mean 'ground_truth'?"),
    ("mesh_extract.estimator", "ground_truth", "this data set has none"),
    ("render_views.backend", "opengl", "expected one of"),
    ("pretrain_encoder.clustering.method", "fais", "expected one of"),
    ("pretrain_encoder.encoder.backbone", "resnet5", "backbone resnet5"),
    ("pretrain_encoder.encoder.num_stripes", 0, "at least 1"),
    ("pretrain_encoder.encoder.pretrained", "weights.pth", "weights.pth"),
    ("pretrain_generator.generator.decoder_width", 6, "multiple of 4"),
    ("pretrain_generator.discriminator.num_scales", 0, "at least 1"),
    ("train_joint.contrast.views", "none ", "expected one of 'generated', 'augmented', 'pasted', 'none'"),
    ("train_joint.precision", "float16", "expected one of 'float32', 'bfloat16'"),
    ("evaluate.split", "tset", "did you mean 'test'?"),
]
"""Words, and numbers that the science itself refuses."""


@pytest.mark.parametrize(("key", "value", "expected"), OUT_OF_LIMITS)
def test_a_number_out_of_its_limits_is_told_with_its_place(key: str, value: Any, expected: str) -> None:
    params = default_params()
    values = copy.deepcopy(dict(params.values))
    *parents, last = key.split(".")
    place = values
    for parent in parents:
        place = place[parent]
    assert last in place
    place[last] = value
    changed = dataclasses.replace(params, values=values)
    with pytest.raises(PipelineError) as error:
        check_limits(changed, [parents[0]])
    message = str(error.value)
    assert message.startswith(f"params.yaml:{params.lines[key]}: {key}") and expected in message
    assert "\n" not in message


@cache
def default_params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What stages before the one in question leave, of the smallest networks."""
    from genreid.models.checkpoint import encoder_checkpoint, generator_checkpoint, joint_checkpoint
    from genreid.models.discriminator import DiscriminatorSettings
    from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
    from tests.genreid.training.conftest import ENCODER, GENERATOR

    encoder = build_encoder(ENCODER, 0)
    generator = build_generator(GENERATOR, encoder.appearance_dim, ENCODER.num_stripes, 0)
    discriminator = build_discriminator(DiscriminatorSettings(4, 1, 1), 0)
    return {
        "encoder": encoder_checkpoint(encoder),
        "generator": generator_checkpoint(generator, discriminator),
        "joint": joint_checkpoint(encoder, generator, discriminator),
    }


def write_checkpoints(project: SmallProject, checkpoints: dict[str, dict[str, Any]]) -> None:
    from pipeline.artifacts import write_torch

    for name, content in checkpoints.items():
        write_torch(project.folder / "models" / f"{name}.pt", content)
    (project.folder / "models" / "regressor.pt").write_bytes(b"not read in these cases")


@pytest.mark.parametrize(("key", "value", "expected"), REFUSED)
def test_an_impossible_value_is_refused_by_its_stage(
    small: SmallProject, checkpoints: dict[str, dict[str, Any]], key: str, value: Any, expected: str
) -> None:
    write_inputs(small)
    write_checkpoints(small, checkpoints)
    small.set(**{key.replace(".", "__"): value})
    stage = key.partition(".")[0].replace("_", "-")
    message = refused(small, stage)
    assert expected in message
    last = key.rpartition(".")[2]
    assert last in message or str(value) in message


def test_an_unknown_key_names_the_nearest_and_its_line(small: SmallProject) -> None:
    params = small.folder / "params.yaml"
    params.write_text(params.read_text().replace("  lr_step_epochs: 16", "  lr_step_epoch: 16"))
    write_inputs(small)
    line = line_of(small, "pretrain_encoder.lr_step_epoch")
    assert refused(small, "pretrain-encoder") == (
        f"params.yaml:{line}: pretrain_encoder.lr_step_epoch: unknown key; did you mean 'lr_step_epochs'?"
    )


def test_the_message_of_a_limit_whole(small: SmallProject) -> None:
    small.set(pretrain_encoder__lr=-0.1)
    line = line_of(small, "pretrain_encoder.lr")
    write_inputs(small)
    assert refused(small, "pretrain-encoder") == (
        f"params.yaml:{line}: pretrain_encoder.lr is -0.1: expected more than 0; set it so in params.yaml"
    )


def damage(name: str) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        path = folder / name
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])

    return cut


def replace_image(folder: Path) -> None:
    (folder / "data" / "images" / "03.png").write_bytes(b"another")


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def forget_meshes(folder: Path) -> None:
    """The shard is of an older manifest."""
    path = folder / "data" / "mesh" / "part-00000.parquet"
    write_table(path, pq.read_table(path).slice(0, 5))


def mistake_checkpoints(folder: Path) -> None:
    shutil.copy(folder / "models" / "generator.pt", folder / "models" / "encoder.pt")


def nothing(folder: Path) -> None:
    """The inputs are odd enough as they are: nobody was found in any image."""


ODD_INPUTS: list[tuple[str, str, Callable[[Path], None], tuple[str, ...]]] = [
    (
        "a manifest cut short",
        "render-views",
        damage("data/manifest.parquet"),
        ("manifest.parquet", "prepare-data"),
    ),
    (
        "no manifest",
        "render-views",
        remove("data/manifest.parquet"),
        ("is missing", "dvc repro prepare-data"),
    ),
    (
        "a mesh shard cut short",
        "render-views",
        damage("data/mesh/part-00000.parquet"),
        ("part-00000", "mesh-extract"),
    ),
    (
        "no mesh shard",
        "render-views",
        remove("data/mesh/part-00000.parquet"),
        ("holds no shard", "mesh-extract"),
    ),
    (
        "a stale mesh shard",
        "render-views",
        forget_meshes,
        ("data/mesh lacks 7 images (05.png", "mesh_extract"),
    ),
    (
        "another kind of checkpoint",
        "pretrain-generator",
        mistake_checkpoints,
        ("encoder.pt", "found 'genreid.generator'"),
    ),
    (
        "a view shard cut short",
        "pretrain-generator",
        damage("data/views/part-00000.parquet"),
        ("part-00000.parquet", "render-views"),
    ),
    ("no view shard", "pretrain-generator", remove("data/views/part-00000.parquet"), ("render-views",)),
    ("an image changed", "pretrain-encoder", replace_image, ("03.png: 7 bytes", "prepare-data")),
    (
        "an image gone",
        "pretrain-encoder",
        remove("data/images/03.png"),
        ("03.png: No such file", "prepare-data"),
    ),
    (
        "an encoder cut short",
        "pretrain-generator",
        damage("models/encoder.pt"),
        ("encoder.pt", "pretrain-encoder"),
    ),
    (
        "no encoder",
        "pretrain-generator",
        remove("models/encoder.pt"),
        ("is missing", "dvc repro pretrain-encoder"),
    ),
    ("a regressor of nonsense", "mesh-extract", nothing, ("regressor.pt", "fit-regressor")),
    ("clusters too few", "pretrain-encoder", nothing, ("clusters", "raise eps or lower min_samples")),
]


@pytest.mark.parametrize(
    ("stage", "change", "expected"), [case[1:] for case in ODD_INPUTS], ids=[case[0] for case in ODD_INPUTS]
)
def test_an_artifact_that_is_missing_stale_or_damaged(
    small: SmallProject,
    checkpoints: dict[str, dict[str, Any]],
    stage: str,
    change: Callable[[Path], None],
    expected: tuple[str, ...],
) -> None:
    write_inputs(small)
    write_checkpoints(small, checkpoints)
    small.set(pretrain_encoder__clustering__min_samples=NUM_IMAGES + 1)
    change(small.folder)
    message = refused(small, stage)
    for part in expected:
        assert part in message


@pytest.mark.parametrize("change", [replace_image, remove("data/images/03.png")], ids=["changed", "gone"])
def test_a_data_set_that_was_moved_is_not_one_without_persons(
    small: SmallProject, checkpoints: dict[str, dict[str, Any]], change: Callable[[Path], None]
) -> None:
    write_inputs(small)
    write_checkpoints(small, checkpoints)
    small.set(mesh_extract__estimator="mean_pose")
    change(small.folder)
    message = refused(small, "mesh-extract")
    assert "03.png: " in message and "run `genreid prepare-data` again" in message


def test_an_image_without_a_person_has_no_views_and_is_counted(small: SmallProject) -> None:
    write_inputs(small)
    done = small.run("render-views", "--no-progress")
    assert done.code == 0, done.err
    assert f"images without a mesh │ {NUM_IMAGES}" in " ".join(done.out.split())


def test_nobody_anywhere_stops_the_generator(
    small: SmallProject, checkpoints: dict[str, dict[str, Any]]
) -> None:
    write_inputs(small)
    write_checkpoints(small, checkpoints)
    assert small.run("render-views", "--no-progress").code == 0
    message = refused(small, "pretrain-generator")
    assert (
        f"none of the {NUM_IMAGES} training images has a mesh view" in message and "mesh-extract" in message
    )


@pytest.mark.parametrize("given", ["nowhere", "params.yaml"])
def test_a_data_set_that_is_not_there(small: SmallProject, given: str) -> None:
    small.set(prepare_data__dataset="msmt17", paths__dataset=given)
    line = line_of(small, "paths.dataset")
    assert refused(small, "prepare-data") == (
        f"params.yaml:{line}: paths.dataset: {given} is no folder, and prepare_data.dataset is msmt17: "
        "set paths.dataset to the folder of its images"
    )


def test_a_damaged_metrics_file(small: SmallProject) -> None:
    (small.folder / "metrics.json").write_text('{"joint": ')
    done = small.run("summary")
    assert done.code == 2 and done.err.count("\n") == 1
    assert done.err.startswith("error: metrics.json: no readable JSON (")
    assert "dvc repro --force evaluate" in done.err


def test_every_limit_is_of_a_key_that_exists_and_allows_the_default() -> None:
    params = default_params()
    check_limits(params, [name for name in params.values if name != "paths"])
    optional = {"original_weight"}  # of re-ranking, which is null by default
    for end in set(LIMITS) - optional:
        assert any(f".{key}".endswith(f".{end}") for key in params.lines), f"nothing is called {end}"


def test_the_longest_end_of_a_key_counts() -> None:
    assert limit_of("prepare_data.height_px").multiple_of == 4
    assert limit_of("prepare_data.synthetic.height_px") is ANYTHING_ELSE
    assert not ANYTHING_ELSE.allows(-1e-9) and ANYTHING_ELSE.allows(0)
