"""A bare `dvc repro` straight after an edit, in the project's graph and code with a line of shell a stage."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.stages.small_project import SmallProject

ROOT = Path(__file__).parents[2]
CONTRASTIVE = "genreid/losses/contrastive.py"
FIRST = "fingerprint-code"
ALL = [
    "prepare-data",
    "fit-regressor",
    "mesh-extract",
    "render-views",
    "pretrain-encoder",
    "pretrain-generator",
    "train-joint",
    "evaluate",
]


class StandIns:
    """A copy of the project whose stages but the first write a hash of their inputs to each of their outs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__", "*.nb[ic]")
        for package in ("genreid", "pipeline", "stages"):
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
        shutil.copy2(ROOT / "params.yaml", folder)
        graph = YAML(typ="safe").load(ROOT / "dvc.yaml")
        YAML(typ="safe").dump({"stages": dict(self._stages(graph["stages"]))}, folder / "dvc.yaml")
        self.command(sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet")

    def _stages(self, stages: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, stage in stages.items():
            if name != FIRST:
                outs = [*stage["outs"], *(next(iter(metric)) for metric in stage.get("metrics", []))]
                write = f"for out in {' '.join(outs)}; do cat {' '.join(stage['deps'])} | md5sum > $out; done"
                stage["cmd"] = f"echo {name} >> done.txt; mkdir -p data models plots; {write}"
            yield name, stage

    def command(self, *arguments: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            arguments,
            cwd=self.folder,
            env=os.environ | {"PATH": path, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def repro(self) -> tuple[list[str], str]:
        """The stages that `dvc repro` has run, and what it said."""
        (self.folder / "done.txt").write_text("")
        said = self.command(sys.executable, "-m", "dvc", "repro")
        assert f"Running stage '{FIRST}'" in said
        return (self.folder / "done.txt").read_text().split(), said

    def edit(self, file: str, change: Callable[[str], str]) -> None:
        path = self.folder / file
        old = path.read_text()
        path.write_text(change(old))
        assert path.read_text() != old


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> StandIns:
    """Up to date before every test and after it."""
    project = StandIns(tmp_path_factory.mktemp("project") / "copy")
    done, said = project.repro()
    assert sorted(done) == sorted(ALL) and "changed\n" not in said
    return project


def with_other_words(text: str) -> str:
    """Every docstring begins differently, and there is a comment above every function."""
    text = re.sub(r'^( *)"""(?=\S)', r'\1"""In other words: ', text, flags=re.MULTILINE)
    return re.sub(r"^def ", "# A comment.\ndef ", text, flags=re.MULTILINE)


def test_words_and_format_run_nothing_and_a_change_what_it_touches(project: StandIns) -> None:
    """By hand: warm-up and joint training contrast, and every stage from the warm-up on reads an encoder."""
    project.edit(CONTRASTIVE, with_other_words)
    ruff = ["format", "--isolated", "--line-length", "70", CONTRASTIVE]
    project.command(str(Path(sys.executable).with_name("ruff")), *ruff)
    done, said = project.repro()
    assert done == [] and "changed\n" not in said

    project.edit(CONTRASTIVE, lambda text: text.replace("temperature", "heat"))
    done, said = project.repro()
    assert done == ["pretrain-encoder", "pretrain-generator", "train-joint", "evaluate"]
    assert "train-joint: genreid.losses.contrastive changed\n" in said
    assert "prepare-data: " not in said


def test_what_no_run_made_stops_it_before_an_out_is_removed(project: StandIns) -> None:
    """Though DVC would remove every out of a stage whose code has changed, and run it."""
    params = project.folder / "params.yaml"
    before, code = params.read_text(), (project.folder / CONTRASTIVE).read_text()
    notes, encoder = project.folder / "mine" / "notes.txt", project.folder / "models" / "encoder.pt"
    notes.parent.mkdir()
    notes.write_text("mine")
    params.write_text(before.replace("views: data/views", "views: mine"))
    project.edit(CONTRASTIVE, lambda text: f"{text}\nYET_ANOTHER = 1\n")
    made = encoder.read_bytes()
    with pytest.raises(
        AssertionError, match=r"paths\.views: mine holds what a run did not make \(notes\.txt\)"
    ):
        project.repro()
    assert (project.folder / "done.txt").read_text() == ""
    assert notes.read_text() == "mine" and encoder.read_bytes() == made
    params.write_text(before)
    project.edit(CONTRASTIVE, lambda text: code)
    assert project.repro()[0] == []


@pytest.mark.slow
@pytest.mark.parametrize("file", ["genreid/errors.py", "pipeline/tracking.py", "stages/train_joint.py"])
def test_a_comment_in_what_all_stages_share(project: StandIns, file: str) -> None:
    project.edit(file, lambda text: text.replace("\n\n\n", "\n\n\n# A comment.\n", 1))
    assert project.repro()[0] == []


@pytest.mark.slow
def test_a_change_in_what_all_stages_share(project: StandIns) -> None:
    project.edit("genreid/errors.py", lambda text: f"{text}\nOTHER = 1\n")
    assert sorted(project.repro()[0]) == sorted(ALL)


@pytest.mark.slow
def test_a_change_in_what_one_stage_imports(project: StandIns) -> None:
    project.edit("genreid/losses/adversarial.py", lambda text: f"{text}\nOTHER = 1\n")
    assert project.repro()[0] == ["pretrain-generator", "train-joint", "evaluate"]


@pytest.mark.slow
def test_another_version_of_a_package(project: StandIns) -> None:
    """timm is imported for encoders alone; rich, by all, tells and changes no result."""
    for name in ("rich", "timm"):
        folder = project.folder / f"{name}-0.0.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0.1\n")
    done, said = project.repro()
    assert done == ["pretrain-encoder", "pretrain-generator", "train-joint", "evaluate"]
    assert "evaluate: timm changed\n" in said
    assert "timm 0.0.1\n" in (project.folder / "fingerprints" / "evaluate.txt").read_text()


@pytest.mark.slow
def test_the_code_of_the_first_stage_itself(project: StandIns) -> None:
    project.edit("pipeline/code.py", lambda text: f"{text}\nOTHER = 1\n")
    project.edit("stages/fingerprint_code.py", lambda text: f"{text}\nOTHER = 1\n")
    assert project.repro()[0] == []


INTERRUPTED = """
from stages.shared.estimation import MeshExtractSettings
from stages.shared.run import Options, open_stage
options = Options(fresh=False, device="cpu", workers=1, progress=False)
with open_stage("mesh-extract", options, MeshExtractSettings) as run:
    print(run.state.notice)
    raise SystemExit
"""


@pytest.mark.slow
def test_the_state_of_an_interrupted_stage_that_is_typed_alone(project: StandIns) -> None:
    def run() -> str:
        return project.command(sys.executable, "-c", INTERRUPTED)

    text = project.folder / "fingerprints" / "mesh-extract.txt"
    assert run() == "\n"
    project.edit("genreid/mesh/shards.py", lambda text: f"# A comment.\n{text}")
    before = text.read_bytes()
    assert run() == "mesh-extract: goes on from its kept state\n"
    assert text.read_bytes() == before
    project.edit("genreid/mesh/shards.py", lambda text: f"{text}\nOTHER = 1\n")
    changed = "mesh-extract: starts afresh: genreid.mesh.shards changed since it was interrupted\n"
    assert run() == changed
    assert text.read_bytes() != before
    assert "mesh-extract" in project.repro()[0]


def test_every_later_stage_has_a_text_and_changes_are_told(small: SmallProject) -> None:
    outcome = small.run(FIRST)
    assert (outcome.code, outcome.out) == (0, "")
    texts = {path.stem: path.read_text() for path in (small.folder / "fingerprints").iterdir()}
    assert sorted(texts) == sorted(ALL)
    assert all("\ngenreid.errors " in text and "\nnumpy " in text for text in texts.values())
    (small.folder / "fingerprints" / "evaluate.txt").write_text(
        texts["evaluate"].replace("numpy ", "numpy 0.")
    )
    assert small.run(FIRST).out == "evaluate: numpy changed\n"
    assert small.run(FIRST).out == ""
