"""A project with the real params in a test's folder, and its commands run in this process, without DVC."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import read_json_artifact
from pipeline.params import load_params
from pipeline.recipes import load_overrides, write_overrides
from stages.cli import main

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """How a command ended: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class SmallProject:
    """The project's params at smoke size, without a graph; the current folder while the test runs."""

    folder: Path
    run: Callable[..., Outcome]

    def set(self, **values: Any) -> None:
        """Change params that stand on a line of their own; `__` stands for a dot."""
        path = self.folder / "params.yaml"
        text = path.read_text()
        lines, places = text.splitlines(), lines_of(text)
        for key, value in values.items():
            number = places[key.replace("__", ".")] - 1
            name = lines[number].partition(":")[0]
            lines[number] = f"{name}: {json.dumps(value, ensure_ascii=False)}"
        path.write_text("\n".join(lines) + "\n")

    def metrics(self) -> dict[str, Any]:
        return read_json_artifact(self.folder / "metrics.json", "never")


@cache
def lines_of(text: str) -> Mapping[str, int]:
    """The line of each dotted key; kept, because reading YAML takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_text(text)
        return load_params(path).lines


@cache
def smoke_params() -> str:
    """params.yaml with the recipe `smoke` written into it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy2(ROOT / "params.yaml", folder))
        write_overrides(path, load_overrides(load_params(path), ROOT / "recipes", "smoke"))
        return path.read_text()


def command_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """`genreid` with these arguments, in this process and on one core."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("GENREID_DEVICE", "cpu")
    monkeypatch.setenv("GENREID_WORKERS", "1")

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["genreid", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        written = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), written.out, written.err)

    return run


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> SmallProject:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text(smoke_params())
    (folder / "dvc.yaml").touch()
    monkeypatch.chdir(folder)
    return SmallProject(folder, command_line(monkeypatch, capfd))
