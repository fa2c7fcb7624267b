from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from stages.shared.run import StageRun, choose_device
from tests.stages.conftest import Limits, Settings, opened


def interrupted() -> None:
    """A run that ends in the middle, with a piece done."""
    with pytest.raises(KeyboardInterrupt), opened() as run:
        run.state.chunk(0).write_text("done")
        raise KeyboardInterrupt


def goes_on() -> tuple[bool, str]:
    with opened() as run:
        return run.state.chunk(0).exists(), run.state.notice


def test_settings_and_paths(run: StageRun, project: Path) -> None:
    assert run.settings == Settings(("train",), Limits(0.5))
    assert run.path("mesh") == project / "data" / "mesh"
    assert run.plots == project / "plots" / "mesh-extract"
    assert run.workers == 1


def test_from_any_folder_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "data")
    with opened() as run:
        assert run.root == project


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineError, match=r"no dvc\.yaml and params\.yaml here or above"), opened():
        pass


def test_a_missing_input_names_the_stage_that_makes_it(project: Path) -> None:
    expected = "^data/views is missing: run `dvc repro render-views` first$"
    with pytest.raises(PipelineError, match=expected), opened(inputs=("manifest", "views")):
        pass


def test_the_text_that_dvc_depends_on_is_of_the_code_that_ran(project: Path) -> None:
    """Though the code was edited after the graph's first stage had written it."""
    text = project / "fingerprints" / "mesh-extract.txt"
    text.parent.mkdir()
    text.write_text("toy.loss 0123456789abcdef\n")
    with opened() as run:
        told = [line.split()[0] for line in text.read_text().splitlines()]
        assert told[:2] == ["toy.loss", "toy.mesh_extract"] and "0123456789abcdef" not in text.read_text()
        assert run.state.resumed is False


def test_success_leaves_provenance_and_no_state(project: Path) -> None:
    with opened() as run:
        run.show("Meshes", {"images": 3, "score": 0.5, "nothing": float("nan")})
        run.show_table("By split", ("split", "images"), [("train", 2), ("query", 1)])
        folder = run.state.folder
    assert not folder.exists()
    record = json.loads((project / "provenance" / "mesh-extract.json").read_text())
    assert record["images"] == 3 and record["score"] == 0.5 and record["nothing"] == "nan"
    assert record["By split"] == {"train": {"images": 2}, "query": {"images": 1}}
    assert record["resumed"] is False and record["device"] == "cpu"


def test_an_interrupted_run_goes_on(project: Path) -> None:
    interrupted()
    assert goes_on() == (True, "mesh-extract: goes on from its kept state")
    assert json.loads((project / "provenance" / "mesh-extract.json").read_text())["resumed"] is True


def replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        text = (project / file).read_text()
        assert old in text
        (project / file).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replace("params.yaml", "score: 0.5", "score: 0.6"), "mesh_extract.limits.score"),
        (replace("data/manifest.parquet", "rows", "other rows"), "data/manifest.parquet"),
        (replace("toy/loss.py", "x = 1", "x = 2"), "toy.loss"),
    ],
)
def test_what_a_result_depends_on_makes_the_state_stale(
    project: Path, change: Callable[[Path], None], reason: str
) -> None:
    interrupted()
    change(project)
    message = f"mesh-extract: starts afresh: {reason} changed since it was interrupted"
    assert goes_on() == (False, message)


def test_a_comment_does_not(project: Path) -> None:
    interrupted()
    replace("toy/loss.py", "x = 1", '"""A loss."""\n\nx = 1  # of all\n')(project)
    assert goes_on()[0]


def test_a_value_that_cannot_be_is_refused_before_the_state_is_touched(project: Path) -> None:
    interrupted()
    replace("params.yaml", "score: 0.5", "score: -0.5")(project)
    refused = pytest.raises(PipelineError, match=r"mesh_extract\.limits\.score is -0\.5: expected at least 0")
    with refused, opened(inputs=("manifest", "views")):  # views are missing, which comes second
        pass
    replace("params.yaml", "score: -0.5", "score: 0.5")(project)
    assert goes_on()[0]


def test_another_stages_section_does_not(project: Path) -> None:
    interrupted()
    replace("params.yaml", "seed: 1", "seed: 2")(project)
    assert goes_on()[0]


def test_a_device_that_is_not_there() -> None:
    assert choose_device("cpu").type == "cpu"
    for name in ("mps", "gpu", "cuda:99"):
        with pytest.raises(PipelineError, match=f"^device {name}: this machine cannot use it .*; try auto$"):
            choose_device(name)
