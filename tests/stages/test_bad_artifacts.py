"""Inputs that are missing, stale or damaged, done for real: one line with place and remedy, no traceback.

Cases that other tests hold are not repeated: an unreadable image becomes a row with a status
(test_prepare_data), one camera leaves the figures undefined (test_retrieval, test_own_data), a second start
(test_kill).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from genreid.data.manifest import Manifest
from pipeline.artifacts import read_table, write_table
from tests.stages.odd_project import (
    NUM_IMAGES,
    line_of,
    refused,
    write_checkpoints,
    write_inputs,
)
from tests.stages.small_project import SmallProject


def damage(name: str) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        path = folder / name
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])

    return cut


def flip(name: str) -> Callable[[Path], None]:
    """One bit in the middle, as a disk or a copy may turn it."""

    def flipped(folder: Path) -> None:
        path = folder / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes(content)

    return flipped


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


def enlarge_images(folder: Path) -> None:
    """The manifest was made again with another prepare_data.height_px."""
    path = folder / "data" / "manifest.parquet"
    made = Manifest.from_table(read_table(path, "never"))
    write_table(path, Manifest(replace(made.info, height_px=128), made.table).to_table())


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
    *[
        (f"a flipped bit in {artifact}", stage, flip(artifact), (Path(artifact).name, "damaged", producer))
        for artifact, stage, producer in (
            ("data/manifest.parquet", "render-views", "--force prepare-data"),
            ("data/truth.parquet", "mesh-extract", "--force prepare-data"),
            ("data/mesh/part-00000.parquet", "render-views", "--force mesh-extract"),
            ("data/views/part-00000.parquet", "pretrain-generator", "--force render-views"),
            ("models/encoder.pt", "pretrain-generator", "--force pretrain-encoder"),
            ("models/generator.pt", "train-joint", "--force pretrain-generator"),
            ("models/joint.pt", "evaluate", "--force train-joint"),
        )
    ],
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
    *[
        (
            f"{checkpoint} of another input size",
            stage,
            enlarge_images,
            (
                f"models/{checkpoint}.pt takes images of 64 × 32 pixels, and data/manifest.parquet has 128",
                f"run `dvc repro {producer}`",
            ),
        )
        for checkpoint, stage, producer in (
            ("encoder", "pretrain-generator", "pretrain-encoder"),
            ("encoder", "train-joint", "pretrain-encoder"),
            ("joint", "evaluate", "train-joint"),
        )
    ],
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
    small.set(clustering__min_samples=NUM_IMAGES + 1)
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
    assert done.err.startswith("error: ") and "metrics.json: no readable JSON (" in done.err
    assert "dvc repro --force evaluate" in done.err


def test_a_table_of_something_else_in_the_place_of_the_truth(small: SmallProject) -> None:
    write_inputs(small)
    small.set(mesh_extract__estimator="mean_pose")
    (small.folder / "models").mkdir()
    (small.folder / "models" / "regressor.pt").touch()
    for table in ({"a": [1]}, {"image_id": [None]}):
        write_table(small.folder / "data" / "truth.parquet", pa.table(table))
        message = refused(small, "mesh-extract")
        assert "truth.parquet: no table of truth (" in message and "--force prepare-data" in message


@pytest.mark.parametrize("info", [b"{", b"[1]", b"{}", b'{"version": 2, "root": 3, "odd": 1}'])
def test_a_manifest_with_damaged_metadata(small: SmallProject, info: bytes) -> None:
    write_inputs(small)
    path = small.folder / "data" / "manifest.parquet"
    table = pq.read_table(path)
    (key,) = table.schema.metadata
    write_table(path, table.replace_schema_metadata({key: info}))
    assert "prepare-data` again" in refused(small, "render-views")


@pytest.mark.parametrize("section", ["prepare_data", "mesh_extract", "train_joint"])
@pytest.mark.parametrize("value", [3, "words", ["a"], None])
def test_doctor_on_a_section_of_the_wrong_type(small: SmallProject, section: str, value: Any) -> None:
    params = small.folder / "params.yaml"
    text = params.read_text()
    values = YAML(typ="safe").load(text) | {section: value}
    with params.open("w") as stream:
        YAML().dump(values, stream)
    done = small.run("doctor")
    assert done.code == 1, done.err
    told = " ".join(done.out.split())  # problem and remedy stand in two columns
    assert f": {section} " in told and "expected keys and values, got" in told
    assert "The configured run cannot start: params." in done.out
