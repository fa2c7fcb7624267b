"""A project with the real graph and params in a test's folder, and its commands run in this process."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
    """dvc.yaml and params.yaml of the project, at smoke size; the current folder while the test runs."""

    folder: Path
    run: Callable[..., Outcome]

    def set(self, **values: Any) -> None:
        """Change params; `__` stands for a dot."""
        changed = {key.replace("__", "."): value for key, value in values.items()}
        write_overrides(self.folder / "params.yaml", changed)

    def metrics(self) -> dict[str, Any]:
        return json.loads((self.folder / "metrics.json").read_text())


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> SmallProject:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy2(ROOT / name, folder / name)
    smoke = load_overrides(load_params(ROOT / "params.yaml"), ROOT / "recipes", "smoke")
    write_overrides(folder / "params.yaml", smoke)
    monkeypatch.chdir(folder)
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

    return SmallProject(folder, run)
