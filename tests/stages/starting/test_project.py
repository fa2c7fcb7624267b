"""A folder becomes a project, and nothing that was there is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.graph import find_root
from pipeline.params import load_params
from stages.shared.sections import require_all
from stages.starting import project as module
from stages.starting.project import commit, committed_names, files_in_the_way, make_project
from stages.starting.templates import templates

ROOT = Path(__file__).parents[3]


def git(folder: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", "-C", str(folder), *arguments], text=True).strip()


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "test")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@localhost")


@pytest.fixture
def no_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC takes seconds to begin."""
    monkeypatch.setattr(module, "_begin_dvc", lambda folder, files: "")


def test_git_and_dvc_are_begun_and_all_is_committed(tmp_path: Path, identity: None) -> None:
    folder, files = tmp_path / "a b" / "reid", templates()
    made = make_project(folder, files)
    assert made.began_git
    assert commit(folder, committed_names(files), "A project").startswith("git: a first commit")
    assert find_root(folder) == folder
    require_all(load_params(folder / "params.yaml"))
    for name in (
        "dvc.yaml",
        "params.yaml",
        ".dvcignore",
        "recipes/smoke.yaml",
        ".dvc/config",
        ".dvc/plots.html",
    ):
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes(), name
    assert git(folder, "status", "--porcelain") == ""
    assert set(git(folder, "ls-files").splitlines()) == {*files, ".dvc/.gitignore"}
    listed = subprocess.check_output([sys.executable, "-m", "dvc", "stage", "list"], cwd=folder, text=True)
    assert "train-joint" in listed
    again = make_project(folder, files)
    assert again.lines[0] == "all files were there already" and git(folder, "status", "--porcelain") == ""
    assert not again.began_git


def test_a_repository_that_is_there_is_kept(tmp_path: Path, no_dvc: None) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".git" / "description").write_text("mine")
    folder = tmp_path / "inside"
    made = make_project(folder, templates())
    assert not made.began_git
    assert not (folder / ".git").exists()
    assert any(line.startswith(f"git: the repository at {tmp_path} is kept") for line in made.lines)
    assert (tmp_path / ".git" / "description").read_text() == "mine"


def test_dvc_that_is_there_is_kept_with_its_settings(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    remote = mine\n")
    made = make_project(tmp_path, templates())
    assert f"DVC: {tmp_path / '.dvc'} is kept" in made.lines
    assert (tmp_path / ".dvc" / "config").read_text() == "[core]\n    remote = mine\n"
    assert not (tmp_path / ".dvc" / "plots.html").exists()


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "recipes/smoke.yaml"])
def test_a_file_of_the_users_stops_it_before_anything_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine: 1\n")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PipelineError, match=rf"{name} is there already.*name another folder") as refusal:
        make_project(tmp_path, templates())
    assert "\n" not in str(refusal.value)
    assert path.read_text() == "mine: 1\n" and sorted(tmp_path.rglob("*")) == before


def test_a_folder_in_the_place_of_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").mkdir()
    assert files_in_the_way(tmp_path, templates()) == ["dvc.yaml"]
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match="is no folder"):
        make_project(tmp_path / "file", templates())


def test_what_an_interrupted_call_wrote_is_no_obstacle(tmp_path: Path, no_dvc: None) -> None:
    files = templates()
    (tmp_path / "dvc.yaml").write_bytes(files["dvc.yaml"])
    make_project(tmp_path, files)
    assert all((tmp_path / name).is_file() for name in files if not name.startswith(".dvc/"))


def test_ignore_files_keep_their_lines_and_get_those_they_lack(tmp_path: Path, no_dvc: None) -> None:
    (tmp_path / ".gitignore").write_text("mine\n/data/\nlast")
    make_project(tmp_path, templates())
    lines = (tmp_path / ".gitignore").read_text().splitlines()
    assert lines[:3] == ["mine", "/data/", "last"] and lines.count("/data/") == 1
    assert {"/models/", "/plots/", "/.genreid/", "/provenance/"} <= set(lines)
    make_project(tmp_path, templates())
    assert (tmp_path / ".gitignore").read_text().splitlines() == lines


def test_an_environment_in_the_project_is_ignored(
    tmp_path: Path, no_dvc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    make_project(tmp_path, templates())
    for name in (".gitignore", ".dvcignore"):
        assert "/env/" in (tmp_path / name).read_text().splitlines()


def test_without_git_dvc_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "which", lambda name: None)
    made = make_project(tmp_path, templates())
    assert any("git is not on the path" in line for line in made.lines)
    assert not made.began_git
    config = (tmp_path / ".dvc" / "config").read_text()
    assert "no_scm = True" in config and "analytics = false" in config
    subprocess.run([sys.executable, "-m", "dvc", "stage", "list", "--quiet"], cwd=tmp_path, check=True)


def test_without_a_name_for_commits_the_first_one_is_the_programs(
    tmp_path: Path, no_dvc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    files = templates()
    make_project(tmp_path, files)
    names = [name for name in files if (tmp_path / name).exists()]
    assert commit(tmp_path, names, "A project").endswith("so it is by genreid@localhost")
    author = ["git", "-C", str(tmp_path), "log", "--format=%ae %s"]
    assert subprocess.check_output(author, text=True) == "genreid@localhost A project\n"


def test_an_empty_repository_of_the_users_is_told(tmp_path: Path, no_dvc: None) -> None:
    """DVC cannot track a run in it."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    made = make_project(tmp_path, templates())
    assert not made.began_git
    assert any("is kept; it has no commit yet, which a run needs" in line for line in made.lines)
