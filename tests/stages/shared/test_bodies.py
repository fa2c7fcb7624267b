"""Licensed bodies and ROMP through the stages, with stand-ins for the files that a licence keeps out."""

from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from genreid.body.body import BodyParameters, load_body
from genreid.errors import GenreidError
from genreid.mesh.fallback import mean_body
from genreid.mesh.settings import RompSettings
from genreid.mesh.shards import MeshEstimates, mesh_table, read_mesh_table
from genreid.render.views import ViewStore
from pipeline.errors import PipelineError
from stages.shared import body as stages_body
from stages.shared.body import body_source, open_body
from stages.shared.fallback import finish_with
from stages.shared.romp import hold_files
from stages.shared.shards import plan_shards, write_shards
from tests.genreid.licensed import smpl_arrays, write_smpl_1_0, write_smpl_1_1
from tests.genreid.mesh.romp_files import RompFiles, write_files
from tests.stages.conftest import Settings, opened
from tests.stages.small_project import SmallProject

NEEDS_ROMP = pytest.mark.skipif(not importlib.util.find_spec("romp"), reason="simple-romp is not installed")


def test_a_licensed_pickle_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    model = tmp_path / "models" / "SMPL_NEUTRAL.pkl"
    write_smpl_1_1(model, smpl_arrays(num_vertices=50))
    source = body_source(tmp_path, "models/SMPL_NEUTRAL.pkl")
    assert Path(source).is_relative_to(tmp_path / ".genreid" / "bodies")
    fingerprint = load_body(source).fingerprint
    assert fingerprint == load_body(str(model)).fingerprint

    with monkeypatch.context() as context:
        context.setattr(stages_body, "read_body_file", lambda path: pytest.fail("it was read again"))
        assert body_source(tmp_path, str(model)) == source
    write_smpl_1_1(model, smpl_arrays(1, num_vertices=50))  # another body under the same name
    assert load_body(body_source(tmp_path, str(model))).fingerprint != fingerprint


def test_other_bodies_are_taken_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert body_source(tmp_path, "open") == "open"
    assert body_source(tmp_path, "smpl.npz") == str(tmp_path / "smpl.npz")
    assert body_source(tmp_path, "~/smpl.pth") == str(tmp_path / "home" / "smpl.pth")
    with pytest.raises(GenreidError, match=r"no body file at '.*/lost\.pkl'"):
        open_body(tmp_path, "lost.pkl")


# What images without a person get -----------------------------------------------------------------------


def found_in(piece: range) -> MeshEstimates:
    """Image i: nobody in every fourth, unreadable every fifth, else a person leaning by i hundredths."""
    status = ["failed" if i % 5 == 4 else "no_person" if i % 4 == 3 else "ok" for i in piece]
    lean = torch.zeros(len(piece), 3)
    lean[:, 0] = 3.0 + 0.01 * torch.tensor(list(piece))
    camera = torch.tensor([[0.9, 0.0, 0.1]]).expand(len(piece), 3)
    parameters = BodyParameters(lean, torch.zeros(len(piece), 69), torch.zeros(len(piece), 10))
    known = np.flatnonzero(np.array(status) == "ok")
    whole = MeshEstimates(["ok"] * len(piece), np.ones(len(piece), np.float32), parameters, camera)
    return MeshEstimates.without_mesh(status).fill(known, whole.select(known))


def look(piece: range) -> pa.Table:
    return mesh_table([f"{i:03d}" for i in piece], found_in(piece), "romp", "a body")


def shards_of(project: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((project / "data" / "mesh").glob("part-*"))}


@pytest.fixture
def romp_files(tmp_path: Path) -> RompFiles:
    return RompFiles(tmp_path / "ROMP.pkl", tmp_path / "SMPL_NEUTRAL.pth")


def test_whoever_was_not_found_stands_as_the_others_do_on_average(
    project: Path, romp_files: RompFiles
) -> None:
    shards = plan_shards(20, images_per_piece=3, images_per_shard=7)
    finish = finish_with("mean_pose", "romp", "a body", "lower center_threshold")
    with opened() as run:
        write_shards(run, "mesh", shards, look, "working", finish=finish)
    undisturbed = shards_of(project)
    table = pa.concat_tables(pq.read_table(project / "data" / "mesh" / name) for name in undisturbed)
    ids, meshes = read_mesh_table(table, "a body")
    expected = found_in(range(20))
    assert ids == [f"{i:03d}" for i in range(20)]
    assert meshes.status == ["fallback" if s == "no_person" else s for s in expected.status]
    mean = mean_body([expected])
    filled = [status == "fallback" for status in meshes.status]
    assert mean is not None and sum(filled) == 4
    root = mean.rotations[0].expand(4, 3)
    torch.testing.assert_close(meshes.parameters.global_orient[filled], root, atol=1e-6, rtol=0)

    def until_killed(piece: range) -> pa.Table:
        if piece.start == 14:
            raise KeyboardInterrupt
        return look(piece)

    with pytest.raises(KeyboardInterrupt), opened() as run:
        write_shards(run, "mesh", shards, until_killed, "working", finish=finish)
    with opened() as run:
        write_shards(run, "mesh", shards, look, "working", finish=finish)
    assert shards_of(project) == undisturbed


def test_or_they_are_dropped(project: Path, romp_files: RompFiles) -> None:
    finish = finish_with("drop", "romp", "a body", "lower center_threshold")
    with opened() as run:
        write_shards(run, "mesh", plan_shards(20, 3, 20), look, "working", finish=finish)
    table = pq.read_table(project / "data" / "mesh" / "part-00000.parquet")
    assert read_mesh_table(table, "a body")[1].status == found_in(range(20)).status


def test_nobody_at_all_is_told(project: Path, romp_files: RompFiles) -> None:
    def nobody(piece: range) -> pa.Table:
        missing = MeshEstimates.without_mesh(["no_person"] * len(piece))
        return mesh_table([f"{i:03d}" for i in piece], missing, "romp", "a body")

    finish = finish_with("mean_pose", "romp", "a body", "lower center_threshold")
    with (
        pytest.raises(GenreidError, match=r"nobody in any of 20 images: lower .*center_threshold"),
        opened() as r,
    ):
        write_shards(r, "mesh", plan_shards(20, 3, 20), nobody, "working", finish=finish)
    assert not (project / "data" / "mesh").exists()


@dataclass(frozen=True)
class WithRomp(Settings):
    romp: RompSettings


@NEEDS_ROMP
def test_a_run_goes_on_with_the_files_that_it_began_with(project: Path, romp_files: RompFiles) -> None:
    romp_files.weights.write_bytes(b"one")
    romp_files.smpl.write_bytes(b"body")
    values = {**vars(romp_files.settings()), "weights": "ROMP.pkl"}  # relative to the project
    section = "".join(f"    {name}: {value}\n" for name, value in values.items())
    params, before = project / "params.yaml", "  splits: [train]\n"
    params.write_text(params.read_text().replace(before, f"{before}  romp:\n{section}"))
    with pytest.raises(KeyboardInterrupt), opened(settings_class=WithRomp) as run:
        hold_files(run)
        raise KeyboardInterrupt
    romp_files.weights.write_bytes(b"other")
    with (
        pytest.raises(PipelineError, match=r"ROMP's files changed .* --fresh"),
        opened(settings_class=WithRomp) as run,
    ):
        hold_files(run)
    with opened(settings_class=WithRomp, fresh=True) as run:
        hold_files(run)


# The stages themselves ----------------------------------------------------------------------------------


def write_crops(folder: Path) -> None:
    """Two pictures of noise, a coarse one and a finer one, of two sizes."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(2):
        height, width = (96, 48) if i % 2 else (90, 41)
        cells = rng.integers(0, 256, (3 + 3 * i, 2 + 2 * i, 3), np.uint8)
        picture = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)
        cv2.imencode(".png", picture)[1].tofile(folder / f"{i:02d}.png")


@NEEDS_ROMP
def test_a_missing_file_stops_the_stage_in_one_line(small: SmallProject) -> None:
    write_crops(small.folder / "crops")
    small.set(paths__dataset="crops", prepare_data__dataset="folder", mesh_extract__estimator="romp")
    small.set(mesh_extract__romp__weights="models/ROMP.pkl")
    for stage in ("prepare-data", "fit-regressor"):
        assert small.run(stage, "--no-progress").code == 0
    done = small.run("mesh-extract", "--no-progress")
    assert done.code == 2 and done.err.count("\n") == 1
    assert "there is no file" in done.err and "models/ROMP.pkl'; it is ROMP.pkl from https://" in done.err


@NEEDS_ROMP
@pytest.mark.slow
def test_photographs_with_smpl_and_romp(small: SmallProject, tmp_path: Path) -> None:
    write_crops(small.folder / "crops")
    files = write_files(tmp_path, smpl_arrays())
    write_smpl_1_0(tmp_path / "SMPL_NEUTRAL.pkl", smpl_arrays())
    small.set(
        paths__dataset="crops",
        prepare_data__dataset="folder",
        prepare_data__body=str(tmp_path / "SMPL_NEUTRAL.pkl"),
        mesh_extract__estimator="romp",
        mesh_extract__romp__weights=str(files.weights),
        mesh_extract__romp__smpl=str(files.smpl),
        mesh_extract__romp__small_crop_threshold=0.0,
        mesh_extract__romp__distance_weight=0.0,
        render_views__yaws_deg=[0, 180],
    )
    for stage in ("prepare-data", "fit-regressor", "mesh-extract"):
        done = small.run(stage, "--no-progress")
        assert done.code == 0, (stage, done.out, done.err)
    mesh = small.folder / "data" / "mesh" / "part-00000.parquet"
    scores = sorted(pq.read_table(mesh)["score"].to_pylist())
    assert len(scores) == 2 and scores[0] < scores[-1]

    between = (scores[0] + scores[1]) / 2  # one of the two is found
    small.set(mesh_extract__romp__small_crop_threshold=between)
    for stage in ("mesh-extract", "render-views"):
        done = small.run(stage, "--no-progress")
        assert done.code == 0, (stage, done.out, done.err)
    table = pq.read_table(mesh)
    assert Counter(table["status"].to_pylist()) == {"ok": 1, "fallback": 1}
    assert set(table["estimator"].to_pylist()) == {"romp"}
    smpl = load_body(str(files.smpl)).fingerprint
    assert set(table["body"].to_pylist()) == {smpl}
    views = ViewStore([small.folder / "data" / "views" / "part-00000.parquet"])
    assert len(views.image_ids) == 2 and views.body_fingerprint == smpl
