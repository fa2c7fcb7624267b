"""CONTRIBUTING.md, followed to the letter in a copy of the project: what comes of it passes its tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
COPIED = ("docs", "genreid", "pipeline", "recipes", "stages", "tests", "tools")
BLOCK = re.compile(
    r'^(?P<indent> *)```(?P<kind>\w+) title="(?P<file>[^"]+)"\n(?P<text>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)
RECIPES = {
    "Add a data set": (
        "tests/genreid/data/datasets/test_campus.py",
        "tests/genreid/data/datasets/test_layouts.py::test_official_counts_are_those_of_the_papers",
        "tests/stages/test_prepare_data.py::test_every_layout_can_be_asked_for",
    ),
    "Add an estimator of meshes": ("tests/genreid/mesh/test_rest_pose.py",),
    "Add a backbone": (
        "tests/genreid/models/test_timm_backbone.py::test_families_that_give_a_map[resnet10_plain-1-512-16]",
    ),
    "Add a switch": ("tests/genreid/training/test_grey.py", "tests/genreid/training/test_distortion.py"),
    "Add a study": (
        "tests/stages/studies/test_definition.py::test_the_project_s_own_studies_load[grey]",
        "tests/tools/test_params_reference.py::test_all_three_are_up_to_date",
    ),
}
"""What each recipe's tests are: those that it adds, and those of before that hold what it has to keep."""


def blocks(heading: str) -> list[re.Match[str]]:
    part = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return list(BLOCK.finditer(part))


def follow(project: Path, heading: str) -> list[str]:
    """Do what a recipe's blocks say; the files of Python that it wrote or changed."""
    for block in blocks(heading):
        file, text = project / block["file"], dedent(block["text"])
        if block["kind"] == "diff":
            for hunk in text.split("@@\n"):
                change(file, hunk)
        else:
            assert not file.exists(), f"{file.name} is there already"
            file.write_text(text, encoding="utf-8")
    return [block["file"] for block in blocks(heading) if block["file"].endswith(".py")]


def change(file: Path, hunk: str) -> None:
    """Lines that begin with a blank stay, `-` go, `+` come; those that stay or go stand once in the file."""
    lines = [line or " " for line in hunk.splitlines()]
    assert {line[0] for line in lines} <= set(" -+"), hunk
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{file}: {text.count(before)} times\n{before}"
    file.write_text(text.replace(before, after), encoding="utf-8")


def run(project: Path, *arguments: str) -> str:
    """A module of Python in the copy; what it printed. Fails where it fails."""
    others = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place != str(ROOT)]
    own = os.environ | {"PYTHONPATH": os.pathsep.join([str(project), *others])}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=project, env=own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in COPIED:
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "images", "study")
        )
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy2(file, folder)
    return folder


@pytest.mark.slow
def test_all_recipes_can_be_followed_one_after_another(project: Path) -> None:
    files = [file for heading in RECIPES for file in follow(project, heading)]
    run(project, "tools.params_reference")
    run(project, "ruff", "check", *files)
    run(project, "ruff", "format", "--check", *files)
    tests = [test for named in RECIPES.values() for test in named]
    told = run(project, "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert re.search(r"^\d+ passed", told.splitlines()[-1])
    comment = next(line for line in (project / "params.yaml").read_text().splitlines() if "grey:" in line)
    assert comment == "    grey: 0.0 # Probability of a picture without colours; 0 to 1"


def test_a_reader_with_its_test_is_short() -> None:
    lines = [
        line
        for block in blocks("Add a data set")
        for line in block["text"].splitlines()
        if block["kind"] == "python" or line.lstrip().startswith("+")
    ]
    assert 30 < len(lines) < 60


@pytest.mark.parametrize("heading", RECIPES)
def test_each_recipe_changes_files_that_are_there_and_writes_new_ones(heading: str) -> None:
    """Without the tests of the copy: every line that it quotes is in its file, once."""
    found = blocks(heading)
    assert found
    for block in found:
        file = ROOT / block["file"]
        assert file.exists() == (block["kind"] == "diff"), block["file"]
        if block["kind"] == "diff":
            for hunk in dedent(block["text"]).split("@@\n"):
                kept = "".join(f"{line[1:]}\n" for line in hunk.splitlines() if line[:1] != "+")
                assert file.read_text(encoding="utf-8").count(kept) == 1, f"{block['file']}:\n{kept}"


def test_what_it_links_to_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:\s]+)\)", text)
    assert len(targets) > 12
    for target in targets:
        assert (ROOT / target).exists(), target
