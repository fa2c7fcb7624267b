"""What a release refuses, and its notes. What it builds: tests/test_wheel.py."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from tools import release as module
from tools.release import (
    NotReady,
    notes_of,
    release,
    require_cited,
    require_committed,
    require_one_name,
    version_of,
)

ROOT = Path(__file__).parents[2]
CHANGELOG = """# Changelog

## 0.2.0 (2027-01-15)

- A new thing,
  in two lines.

## 0.1.0 (2026-12-01)

- The first.
"""


def git(folder: Path, *arguments: str) -> None:
    own = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", "-C", str(folder), *own, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "genreid"\nversion = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "CITATION.cff").write_text("cff-version: 1.2.0\nversion: 0.2.0\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "All")
    return tmp_path


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = next(line for line in text.splitlines() if line.startswith("## "))
    assert first.split()[1] == version_of(ROOT)


def test_the_notes_are_the_topmost_section() -> None:
    assert notes_of(CHANGELOG, "0.2.0") == "# genreid 0.2.0\n\n- A new thing,\n  in two lines.\n"
    first = CHANGELOG[: CHANGELOG.index("## 0.1.0")]
    assert notes_of(first, "0.2.0") == notes_of(CHANGELOG, "0.2.0")


@pytest.mark.parametrize(
    ("text", "version", "said"),
    [
        (CHANGELOG, "0.3.0", "begins with 0.2.0, pyproject.toml says 0.3.0"),
        (CHANGELOG, "0.1.0", "begins with 0.2.0"),
        ("# Changelog\n", "0.2.0", "begins with none"),
        (CHANGELOG.replace("2027-01-15", "not released"), "0.2.0", "write the day of the release"),
    ],
)
def test_a_changelog_that_is_not_ready(text: str, version: str, said: str) -> None:
    with pytest.raises(NotReady, match=said):
        notes_of(text, version)


def test_what_is_not_committed_or_tagged_already_is_refused(project: Path) -> None:
    require_committed(project, "0.2.0")
    (project / "stray.txt").touch()
    with pytest.raises(NotReady, match=r"1 files are not committed \(\?\? stray.txt\)"):
        require_committed(project, "0.2.0")
    (project / "stray.txt").unlink()
    git(project, "tag", "v0.2.0")
    with pytest.raises(NotReady, match="a tag already"):
        require_committed(project, "0.2.0")


def test_the_version_to_cite_is_the_project_s(project: Path) -> None:
    require_cited(ROOT, version_of(ROOT))
    require_cited(project, "0.2.0")
    with pytest.raises(NotReady, match="names version 0"):
        require_cited(project, "0.3.0")


def test_a_wheel_with_another_name_is_refused(tmp_path: Path) -> None:
    for names, others in (
        (["genreid/__init__.py", "genreid-1.dist-info/METADATA"], None),
        (["genreid/__init__.py", "stages/__init__.py", "pipeline.py"], "pipeline.py, stages"),
    ):
        with zipfile.ZipFile(tmp_path / "a.whl", "w") as file:
            for name in names:
                file.writestr(name, "")
        if others is None:
            require_one_name(tmp_path / "a.whl")
        else:
            with pytest.raises(NotReady, match=others):
                require_one_name(tmp_path / "a.whl")


def test_the_archives_and_the_notes_are_left_in_dist_and_a_failure_leaves_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(source: Path, kind: str, folder: Path, time: str) -> None:
        assert (source / "CHANGELOG.md").is_file() and int(time) > 0
        folder.mkdir(exist_ok=True)
        name = {"wheel": "genreid-0.2.0-py3-none-any.whl", "sdist": "genreid-0.2.0.tar.gz"}[kind]
        with zipfile.ZipFile(folder / name, "w") as file:
            file.writestr("genreid/__init__.py", "")

    monkeypatch.setattr(module, "build", build)
    monkeypatch.setattr(module, "install", lambda wheel, environment, with_dependencies: environment)

    def fails(*arguments: object) -> None:
        raise NotReady("genreid init fails")

    monkeypatch.setattr(module, "try_out", fails)
    with pytest.raises(NotReady, match="init fails"):
        release(project)
    assert not (project / "dist").exists()
    monkeypatch.setattr(module, "try_out", lambda *arguments: None)
    made = [path.name for path in release(project)]
    assert made == ["genreid-0.2.0-py3-none-any.whl", "genreid-0.2.0.tar.gz", "genreid-0.2.0.md"]
    assert sorted(path.name for path in (project / "dist").iterdir()) == sorted(made)
    assert (project / "dist" / "genreid-0.2.0.md").read_text().startswith("# genreid 0.2.0\n")
