"""A run deletes nothing that it did not make: the commands, by their messages."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import PipelineError
from pipeline.outputs import holds
from pipeline.params import load_params
from stages.shared.outputs import output_refusals, outputs_of, prepare_clone
from stages.using.pictures import write_picture
from tests.stages.odd_project import line_of, refused
from tests.stages.small_project import SmallProject, smoke_params

FIRST = "fingerprint-code"


def write_crops(project: SmallProject) -> dict[Path, bytes]:
    """Crops, and notes in two places of a run."""
    for name in ("crops/c1/a.png", "crops/c2/b.png"):
        path = project.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((32, 64), 60).save(path)
    for name in ("data/notes.txt", "mine/data/mesh/notes.txt"):
        path = project.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    return everything(project)


def everything(project: SmallProject) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}


OWN = "an output needs a place of its own; name another place"
MOVE = "move it away, or name another place"


@pytest.mark.parametrize(
    ("key", "value", "stage", "expected"),
    [
        ("images", "crops", "prepare-data", f"crops is the data set (paths.dataset): {OWN}"),
        ("images", "Crops/c1", "prepare-data", f"Crops/c1 lies inside the data set (paths.dataset): {OWN}"),
        ("mesh", ".", "mesh-extract", f". contains the data set (paths.dataset): {OWN}"),
        ("mesh", "..", "mesh-extract", f".. contains the data set (paths.dataset): {OWN}"),
        (
            "views",
            "data",
            "render-views",
            f"data contains the output params.yaml:{{images}}: paths.images: {OWN}",
        ),
        ("joint", "models/encoder.pt", "train-joint", "models/encoder.pt is the output params.yaml:"),
        (
            "metrics",
            "data/notes.txt",
            "evaluate",
            f"data/notes.txt is there, and a run did not make it; {MOVE}",
        ),
        (
            "mesh",
            "mine/data/mesh",
            "mesh-extract",
            f"mine/data/mesh holds what a run did not make (notes.txt); {MOVE}",
        ),
        ("plots", "mine/data", "mesh-extract", ""),
        ("mesh", "crops-link", "mesh-extract", f"crops-link is the data set (paths.dataset): {OWN}"),
        (
            "images",
            "crops-link/c3",
            "prepare-data",
            f"crops-link/c3 lies inside the data set (paths.dataset): {OWN}",
        ),
        ("manifest", "params.yaml", "prepare-data", f"params.yaml is params.yaml: {OWN}"),
    ],
)
def test_each_is_refused_by_its_stage_the_first_stage_and_doctor(
    small: SmallProject, key: str, value: str, stage: str, expected: str
) -> None:
    small.set(prepare_data__dataset="folder", paths__dataset="crops", **{f"paths__{key}": value})
    (small.folder / "crops-link").symlink_to(small.folder / "crops", target_is_directory=True)
    before = write_crops(small)
    found = list(output_refusals(small.folder, load_params(small.folder / "params.yaml")))
    if not expected:
        assert found == []
        return
    expected = expected.format(images=line_of(small, "paths.images"))
    wanted = f"params.yaml:{line_of(small, f'paths.{key}')}: paths.{key}: {expected}"
    for command in (stage, FIRST):
        if command == FIRST:
            done = small.run(command)
            assert done.code == 2 and done.err.startswith("error: ")
        else:
            assert refused(small, command).startswith(wanted)
    assert any(line.startswith(wanted) for line in found)
    assert everything(small) == before


def test_the_run_replaces_what_it_made_and_nothing_else(small: SmallProject) -> None:
    small.set(
        prepare_data__dataset="folder",
        paths__dataset="crops",
        mesh_extract__estimator="mean_pose",
        render_views__yaws_deg=[0, 180],
    )
    before = write_crops(small)
    stages = ("prepare-data", "fit-regressor", "mesh-extract", "render-views")
    for _ in range(2):
        for stage in (FIRST, *stages):
            done = small.run(stage)
            assert done.code == 0, (stage, done.err)
    assert everything(small).items() >= before.items()
    for key, stage in {"images": "prepare-data", "mesh": "mesh-extract", "views": "render-views"}.items():
        note = small.folder / "data" / key / "notes.txt"
        note.write_text("mine")
        assert f"data/{key} holds what a run did not make (notes.txt); {MOVE}" in refused(small, stage)
        assert note.read_text() == "mine"
        note.unlink()


SPOTS = (
    "data",
    "data/mesh",
    "data/Images",
    "crops",
    "Crops/c1",
    "mine",
    "mine/deep",
    "link",
    ".",
    "..",
    "a.bin",
)
KEYS = ("images", "manifest", "truth", "regressor", "mesh", "views", "plots", "metrics", "fingerprints")
RUN = (FIRST, "prepare-data", "fit-regressor", "mesh-extract", "render-views")


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=st.sets(st.sampled_from(SPOTS), max_size=4),
    paths=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(SPOTS), max_size=3),
)
def test_no_stage_changes_a_foreign_file(small: SmallProject, notes: set[str], paths: dict[str, str]) -> None:
    """All stages that need no training, whatever the first one says, twice, in every tree."""
    shutil.rmtree(small.folder)
    small.folder.mkdir()
    os.chdir(small.folder)
    (small.folder / "params.yaml").write_text(smoke_params())
    (small.folder / "dvc.yaml").write_text("stages: {}")
    small.set(
        prepare_data__dataset="folder",
        paths__dataset="crops",
        mesh_extract__estimator="mean_pose",
        render_views__yaws_deg=[0, 180],
        **{f"paths__{key}": value for key, value in paths.items()},
    )
    write_crops(small)
    (small.folder / "link").symlink_to(small.folder / "mine", target_is_directory=True)
    for spot in notes:
        file = small.folder / spot / "note.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    (small.folder / "a.bin").mkdir(exist_ok=True)
    before = everything(small)
    for _ in range(2):
        for stage in RUN:
            done = small.run(stage)
            assert done.code in (0, 2) and "Traceback" not in done.err, (stage, done.err)
        assert everything(small).items() >= before.items()


def test_every_artifact_tells_what_it_is(
    small: SmallProject, checkpoints: dict[str, dict[str, object]]
) -> None:
    """By the names of the formats, which the science has and this list repeats."""
    from genreid.body.body import load_body
    from genreid.mesh.regressor import regressor_checkpoint
    from genreid.mesh.settings import NetworkSettings
    from genreid.training.regressor import build_regressor
    from pipeline.artifacts import write_json, write_torch
    from tests.stages.odd_project import write_inputs

    write_inputs(small)
    network = build_regressor(NetworkSettings(32, 16, (4, 4), 8, 4), 0)
    made = dict(checkpoints) | {"regressor": regressor_checkpoint(network, load_body("open"))}
    for name, content in made.items():
        write_torch(small.folder / "models" / f"{name}.pt", content)
    write_json(small.folder / "metrics.json", {"undefined": "no query", "views": {}})
    assert small.run(FIRST).code == 2  # the images of `write_inputs` have no mark
    outputs = outputs_of(small.folder, load_params(small.folder / "params.yaml"))
    files = [output for some in outputs.values() for output in some if not output.is_folder]
    assert len(files) == 7
    assert [output.text for output in files if not output.is_ours(output.path)] == []
    others = [(one, two) for one in files for two in files if one is not two and one.is_ours(two.path)]
    assert [(one.text, two.text) for one, two in others] == [
        ("models/encoder.pt", "models/joint.pt"),
        ("models/generator.pt", "models/joint.pt"),
    ]


def test_what_earlier_versions_left_in_a_clone_of_a_study_goes(small: SmallProject) -> None:
    crops = write_crops(small)
    image, outside = small.folder / "data" / "images" / "a.png", small.folder.parent / "mesh" / "part"
    for path in (image, outside):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    prepare_clone(small.folder)
    assert not image.parent.exists() and everything(small).items() >= crops.items()
    for value, told in (
        ("..", "contains the project's folder"),
        ("../mesh", "holds what a run did not make"),
    ):
        small.set(paths__mesh=value)
        with pytest.raises(PipelineError, match=told):
            prepare_clone(small.folder)
        assert outside.read_bytes() == b"x"


def test_what_doctor_says(small: SmallProject) -> None:
    from stages.doctor.configuration import Configuration
    from stages.doctor.outputs import OUTPUTS
    from stages.shared.run import Options, Project

    finding = OUTPUTS.look(Configuration(Project.open(Options())))
    assert finding.state == "ok"
    small.set(paths__mesh="..")
    (small.folder / "metrics.json").write_text(json.dumps({"mine": 1}))
    finding = OUTPUTS.look(Configuration(Project.open(Options())))
    assert finding.state == "missing"
    assert "paths.mesh: .. contains the project's folder" in finding.found
    assert "metrics.json is there, and a run did not make it" in finding.found
    assert finding.to_do == f"name another place; {MOVE}"


@pytest.mark.parametrize("command", ["embed", "export", "generate", "search"])
@pytest.mark.parametrize("kind", ["foreign", "output", "data set"])
def test_the_file_that_a_user_names(small: SmallProject, command: str, kind: str) -> None:
    small.set(paths__dataset="crops")
    before = write_crops(small)
    suffix = ".png" if command in ("generate", "search") else ".bin"
    name = {"foreign": f"notes{suffix}", "output": f"data/images/a{suffix}", "data set": f"crops/a{suffix}"}[
        kind
    ]
    if kind == "foreign":
        (small.folder / name).write_bytes(b"mine")
    told = {
        "foreign": f"is there, and `genreid {command}` did not make it; move it away, or name another place",
        "output": "lies inside the output params.yaml:",
        "data set": "lies inside the data set (paths.dataset): ",
    }[kind]
    option = "--picture" if command == "search" else "--output"
    inputs = [] if command == "export" else ["crops" if command == "embed" else "crops/c1/a.png"]
    done = small.run(command, *inputs, option, name)
    assert done.code == 2 and f"error: {name} {told}" in done.err
    assert everything(small).items() >= before.items()
    assert kind != "foreign" or (small.folder / name).read_bytes() == b"mine"


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_says_that_it_is_ours(tmp_path: Path, suffix: str) -> None:
    import numpy as np

    from pipeline.pictures import PNG_MARK
    from stages.using.pictures import COMMENT

    is_ours = holds(PNG_MARK, COMMENT.encode())
    picture = np.zeros((8, 8, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / f"theirs{suffix}")
    write_picture(tmp_path / f"ours{suffix}", picture)
    assert is_ours(tmp_path / f"ours{suffix}") and not is_ours(tmp_path / f"theirs{suffix}")


@pytest.mark.parametrize("path", ["~", "~/views", "~nobody/views"])
def test_an_output_in_somebodys_home_is_written_out(small: SmallProject, path: str) -> None:
    """DVC would make a folder of that name, and the stage look elsewhere, or the reverse."""
    small.set(paths__views=path)
    for command in (["fingerprint-code"], ["render-views", "--no-progress"], ["export"]):
        done = small.run(*command)
        assert done.code == 2 and done.err.count("\n") == 1
        assert (
            f"paths.views is '{path}': DVC takes `~` for the name of a folder; write the path out" in done.err
        )
