"""The Makefile's environment: made once, of a Python that fits, torch and torchvision as a pair and first."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = ("Makefile", "pyproject.toml", "constraints.txt")


def script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that make reads, and a folder of Pythons before all others."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    for name in ("python3.11", "python3.12", "python3", "python"):
        script(tmp_path / "bin" / name, "exit 1")
    return tmp_path


def make(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{project / 'bin'}:{os.environ['PATH']}"}
    outer = ("VENV", "PYTHON", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")  # these tests run inside `make test` too
    environment = {key: value for key, value in environment.items() if key not in outer}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_no_python_that_fits_is_said_clearly(project: Path) -> None:
    done = make(project, "install")
    assert done.returncode != 0
    assert "No Python 3.11 or 3.12 found: install one, or name it with PYTHON=/path/to/python" in done.stderr
    assert not (project / ".venv").exists()


def test_a_python_that_fits_is_found_among_those_that_do_not(project: Path) -> None:
    log = project / "log"
    script(project / "bin" / "python3.12", f'echo "$@" >> {log}\nexit 0')
    make(project, "install")
    assert "-m venv .venv" in log.read_text()


def test_installed_once_in_order_and_again_only_when_something_changed(project: Path) -> None:
    log = project / "log"
    script(project / "env" / "bin" / "python", f'echo "$@" >> {log}')
    assert make(project, "install", "VENV=env").returncode == 0
    pair = " ".join(
        line
        for line in (ROOT / "constraints.txt").read_text().split()
        if line.startswith(("torch==", "torchvision=="))
    )
    torch, project_itself, check = log.read_text().splitlines()
    assert torch.endswith(f"-c constraints.txt {pair}") and pair.count("==") == 2
    assert project_itself.endswith("-c constraints.txt -e .[dev,docs]")
    assert check == "-c import torchvision"

    assert make(project, "install", "VENV=env").returncode == 0
    assert len(log.read_text().splitlines()) == 3

    with (project / "constraints.txt").open("a") as stream:
        stream.write("# changed\n")
    assert make(project, "install", "VENV=env").returncode == 0
    assert len(log.read_text().splitlines()) == 6


def test_a_pair_that_does_not_fit_stops_the_install(project: Path) -> None:
    script(project / "env" / "bin" / "python", 'test "$1" != -c')
    for _ in range(2):
        done = make(project, "install", "VENV=env")
        assert done.returncode != 0 and "torch and torchvision do not fit together" in done.stderr


def test_repro_and_test_are_what_they_say() -> None:
    lines = [make(ROOT, "-n", target, "VENV=env").stdout.splitlines() for target in ("repro", "test")]
    assert [line.split("/")[-1] for line in lines[0][-2:]] == ["dvc repro", "genreid summary"]
    assert [line.split("/")[-1] for line in lines[1][-2:]] == [
        'pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not slow"',
        "pytest -q -n auto --dist loadfile --no-loadscope-reorder -m slow",
    ]


@pytest.mark.parametrize("has_git", [True, False])
def test_a_project_without_git_is_run_all_the_same(project: Path, has_git: bool) -> None:
    """As an archive of it unpacks: DVC refuses such a folder until it is told that it is meant."""
    log = project / "log"
    for name in ("python", "dvc", "genreid"):
        script(project / "env" / "bin" / name, f'echo "{name} $@" >> {log}')
    if has_git:
        (project / ".git").mkdir()
    script(project / "bin" / "git", "exit 128")
    assert make(project, "install", "VENV=env").returncode == 0
    log.write_text("")
    done = make(project, "repro", "VENV=env")
    assert done.returncode == 0, done.stderr
    told = [] if has_git else ["dvc config --local core.no_scm true"]
    assert log.read_text().splitlines() == [*told, "dvc repro", "genreid summary"]
    assert ("No git repository here" in done.stdout) != has_git
