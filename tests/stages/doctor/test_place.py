"""Where a run works: what doctor says is what DVC and the stages would say."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stages.doctor import place, room
from stages.doctor.configuration import Configuration
from stages.doctor.finding import Finding
from stages.shared.conflicts import conflicts
from stages.shared.run import Options, Project
from tests.stages.doctor.places import make_repository, name_author
from tests.stages.small_project import SmallProject


def found(look: Callable[[Configuration], Finding]) -> Finding:
    return look(Configuration(Project.open(Options())))


def dvc_says(*arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_outside_git_dvc_refuses_and_so_does_doctor(small: SmallProject) -> None:
    make_repository(small.folder, git=False)
    refused = found(place._repository)
    assert refused.state == "missing" and refused.found == f"{small.folder} is not a git repository"
    assert refused.found in dvc_says("repro", "--dry"), "in DVC's own words"
    assert "git init" in refused.to_do and "dvc config --local core.no_scm true" in refused.to_do
    subprocess.run([sys.executable, "-m", "dvc", "config", "--local", "core.no_scm", "true"], check=True)
    assert found(place._repository) == Finding(
        "note", "DVC does without git", "run `git init` for `dvc exp run` and studies"
    )
    (small.folder / ".dvc" / "config.local").unlink()
    subprocess.run(["git", "init", "-q"], check=True)
    name_author(small.folder)
    assert found(place._repository).state == "ok"


def test_where_git_knows_no_author_dvc_makes_no_experiment(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_repository(small.folder)
    (small.folder / "dvc.yaml").write_text("stages: {nothing: {cmd: 'true'}}")
    subprocess.run(["git", "add", "dvc.yaml"], check=True)
    subprocess.run(["git", "commit", "-q", "-m", "all"], check=True)
    (small.folder / "dvc.yaml").write_text("stages: {nothing: {cmd: 'exit 0'}}")
    subprocess.run(["git", "config", "--remove-section", "user"], check=True)
    monkeypatch.setenv("HOME", str(small.folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"):
        monkeypatch.delenv(f"GIT_{name}", raising=False)
    refused = "Git user name and email must be configured"
    finding = found(place._repository)
    assert finding.state == "note" and "git knows no author" in finding.found
    assert refused in dvc_says("exp", "run")
    name_author(small.folder)
    assert found(place._repository).state == "ok"
    assert refused not in dvc_says("exp", "run")


def test_without_dvcs_folder_or_with_a_graph_that_cannot_be_read(small: SmallProject) -> None:
    assert found(place._repository).found.endswith("has no folder .dvc")
    make_repository(small.folder.parent)
    assert found(place._repository).state == "ok", "DVC takes the one above"
    (small.folder / "dvc.yaml").write_text("stages: {a: [")
    broken = found(place._repository)
    assert broken.state == "missing" and "dvc.yaml" in broken.found and "\n" not in broken.found


@pytest.mark.parametrize("closed", ["", ".dvc", "data", ".genreid"])
def test_a_folder_that_cannot_be_written_in_is_named(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    make_repository(small.folder)
    folder = small.folder / closed
    folder.mkdir(exist_ok=True)
    assert found(place._folders).state == "ok"
    access = os.access
    # Rights do not bind who runs the tests as root.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder and access(path, mode))
    finding = found(place._folders)
    assert finding.state == "missing"
    assert finding.found == f"nothing can be written in {folder} (no right to write)"


def test_a_disk_that_takes_nothing_is_found_by_trying(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(dir: Path) -> Any:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert "(Read-only file system)" in found(place._folders).found


def test_a_file_in_the_place_of_a_folder(small: SmallProject) -> None:
    (small.folder / "models").write_text("a list of them")
    assert (
        found(place._folders).found
        == f"{small.folder}/models is no folder, as {small.folder}/models has to be"
    )


def test_nothing_is_left_behind_by_looking(small: SmallProject) -> None:
    before = sorted(small.folder.rglob("*"))
    found(place._folders)
    assert sorted(small.folder.rglob("*")) == before


def test_a_containers_limit_counts_where_it_is_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    machine = SimpleNamespace(available=8e9, total=10e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine)
    monkeypatch.setattr(room, "CGROUP", tmp_path)
    assert room.memory_bytes() == (8e9, 10e9)
    (tmp_path / "memory.max").write_text("2000000000\n")
    (tmp_path / "memory.current").write_text("500000000\n")
    assert room.memory_bytes() == (1.5e9, 2e9)
    (tmp_path / "memory.max").write_text("max\n")
    assert room.memory_bytes() == (8e9, 10e9)
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("4000000000\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("5000000000\n")
    assert room.memory_bytes() == (0, 4e9)


def test_a_run_over_two_disks_needs_its_share_of_each(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small.folder / "data").mkdir()
    stat = os.stat

    def of_disk(path: Any, **given: Any) -> Any:
        if Path(path) == small.folder / "data":
            return SimpleNamespace(st_dev=-1)
        return stat(path, **given)

    monkeypatch.setattr(room, "os", SimpleNamespace(stat=of_disk))
    free = {small.folder / "data": 7e9, small.folder: 90e9}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free[Path(path)]))
    monkeypatch.setattr(room, "needs_of", lambda _: SimpleNamespace(outs=5e9, state=2e9))
    assert found(room._disk) == Finding(
        "ok",
        f"7.0 GB free at {small.folder}/data, the run needs about 5.0 GB; "
        f"90.0 GB free at {small.folder}, the run needs about 7.0 GB",
    )
    free[small.folder / "data"] = 4e9
    assert found(room._disk).state == "missing"


def test_persons_that_cannot_be_turned_are_a_conflict(small: SmallProject) -> None:
    splits = ["train", "query", "gallery"]
    for values, lacking in (
        ({"split": "test", "views": ["mirror", "turned"]}, "val_query, val_gallery"),
        ({"split": "val", "views": ["turned"]}, "val_query, val_gallery"),
        ({"split": "test", "views": ["mirror"]}, ""),
    ):
        small.set(mesh_extract__splits=splits, render_views__splits=splits)
        small.set(evaluate__split=values["split"], evaluate__test_views=values["views"])
        told = [problem for problem, _ in conflicts(Configuration(Project.open(Options())).settings)]
        expected = f"evaluate.test_views has turned, and mesh_extract.splits lacks {lacking}"
        assert told == ([expected] if lacking else [])
