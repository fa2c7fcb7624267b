"""Checks that look at the machine alone, on machines of every kind."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from packaging.specifiers import SpecifierSet

from stages.doctor import machine
from stages.doctor.finding import Finding, install_again
from tests.stages.small_project import ROOT

NOTHING: Any = None
"""The configuration, which they do not ask."""


@pytest.mark.parametrize("minor", range(9, 15))
def test_python_is_what_the_package_asks_for(minor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    monkeypatch.setattr(sys, "version_info", (3, minor, 1, "final", 0))
    state = machine._python(NOTHING).state
    assert (state == "ok") == SpecifierSet(asked).contains(f"3.{minor}.1")


def test_tools_that_are_not_on_the_path_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    there = {"git", "genreid"}
    monkeypatch.setattr(shutil, "which", lambda tool: tool if tool in there else None)
    lacking = machine._tools(NOTHING)
    assert (lacking.state, lacking.found) == ("missing", "dvc not installed")
    (tmp_path / "dvc").write_text("beside the interpreter")
    aside = machine._tools(NOTHING)
    assert (aside.state, aside.found) == ("note", "dvc not on the path")
    there.add("dvc")
    assert machine._tools(NOTHING).state == "ok"
    there.remove("git")
    assert machine._tools(NOTHING).found == "git not on the path", "which experiments want, and dvc repro not"


def test_who_has_a_wheel_is_not_told_to_use_make(tmp_path: Path) -> None:
    place = tmp_path / "genreid" / "_program" / "stages" / "doctor" / "finding.py"
    assert "pip install" in install_again(place)
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "Makefile").touch()
    assert install_again(clone / "stages" / "doctor" / "finding.py") == "`make install`"


def test_packages_that_an_export_lacks_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"onnx": "1.2"}
    monkeypatch.setattr(machine, "installed", there.get)
    lacking = machine._export(NOTHING)
    assert (lacking.state, lacking.found) == ("note", "onnxscript, onnxruntime not installed")
    there |= {"onnxscript": "0.3", "onnxruntime": "4.5"}
    assert machine._export(NOTHING) == Finding("ok", "onnx 1.2, onnxscript 0.3, onnxruntime 4.5")


def test_a_gpu_is_named_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1e9, 24.2e9))
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    configuration: Any = SimpleNamespace(project=SimpleNamespace(device=torch.device("cuda", 1)))
    assert machine._device(configuration) == Finding("ok", "cuda:1: Some GPU, 24 GB, CUDA 12.6")
