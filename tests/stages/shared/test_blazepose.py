"""BlazePose through the stage: its file is looked for first, and processes do not change a byte."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from stages.doctor.configuration import Configuration
from stages.doctor.material import _estimator
from stages.doctor.model_files import _model_files
from stages.mesh_extract import inputs_of
from stages.shared.estimation import MeshExtractSettings
from stages.shared.run import Options, Project
from tests.genreid.mesh.test_blazepose_network import MODEL, NEEDS_FILE, SIZE
from tests.stages.small_project import SmallProject


@pytest.fixture
def crops(small: SmallProject) -> SmallProject:
    """A folder of pictures with little in them, the estimator chosen, and its settings as they come."""
    folder = small.folder / "crops"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(66):
        cells = rng.integers(0, 256, (3, 2, 3), np.uint8)
        cv2.imencode(".png", cv2.resize(cells, (24, 48)))[1].tofile(folder / f"{i:02d}.png")
    small.set(paths__dataset="crops", prepare_data__dataset="folder", mesh_extract__estimator="blazepose")
    return small


def configuration() -> Configuration:
    return Configuration(Project.open(Options()))


def test_without_its_file_one_line_says_which_command_brings_it(
    crops: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREID_MODELS", str(tmp_path / "models"))
    assert crops.run("prepare-data", "--no-progress").code == 0
    done = crops.run("mesh-extract", "--no-progress")
    assert done.code == 2 and done.err.count("\n") == 1, done.err
    assert "blazepose_heavy.tflite (27.7 MB) is not in" in done.err
    assert "run `genreid models get blazepose_heavy`" in done.err
    finding = _model_files(configuration())
    assert finding.state == "missing" and finding.to_do == "genreid models get blazepose_heavy"
    assert _estimator(configuration()).state == "ok", "the other check tells of it"

    crops.set(mesh_extract__blazepose__size="full")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "blazepose_full.tflite").write_text("<html>sign in</html>")
    done = crops.run("mesh-extract", "--no-progress")
    assert done.code == 2 and done.err.count("\n") == 1, done.err
    assert "is not the file that blazepose_full names; run `genreid models get blazepose_full`" in done.err


def test_it_reads_images_alone(crops: SmallProject) -> None:
    settings = configuration().settings["mesh_extract"]
    assert isinstance(settings, MeshExtractSettings) and settings.blazepose.model_name == "blazepose_heavy"
    assert inputs_of(settings) == ("manifest", "images")


@pytest.mark.parametrize("value", [0.0, 1.0, 1.5])
def test_an_impossible_least_score_is_refused(crops: SmallProject, value: float) -> None:
    crops.set(mesh_extract__blazepose__least_score=value)
    done = crops.run("mesh-extract", "--no-progress")
    assert done.code == 2 and "mesh_extract.blazepose.least_score" in done.err


@NEEDS_FILE
@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes(
    crops: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREID_MODELS", str(MODEL.parent))
    crops.set(mesh_extract__blazepose__size=SIZE, mesh_extract__blazepose__least_score=0.2)
    assert crops.run("prepare-data", "--no-progress").code == 0
    written = []
    for workers in ("1", "3"):
        done = crops.run("mesh-extract", "--no-progress", "--workers", workers)
        assert done.code == 0, done.err
        assert "Headings (0 faces the camera)" in done.out and "scores (5th, 50th" in done.out
        written.append((crops.folder / "data" / "mesh" / "part-00000.parquet").read_bytes())
    assert written[0] == written[1]
    table = pq.read_table(crops.folder / "data" / "mesh" / "part-00000.parquet")
    assert set(Counter(table["status"].to_pylist())) <= {"ok", "fallback"} and table.num_rows == 66
    assert (crops.folder / "plots" / "mesh-extract" / "contact_sheet.png").stat().st_size > 1000

    crops.set(mesh_extract__blazepose__least_score=0.99)
    done = crops.run("mesh-extract", "--no-progress")
    assert done.code == 2 and "blazepose found nobody in any of 66 images: lower" in done.err
