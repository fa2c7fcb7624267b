"""The user's cache of model files, and the table of what may be in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from genreid.errors import GenreidError
from genreid.zoo import cache
from genreid.zoo.cache import cache_folder, require, state_of
from genreid.zoo.table import NAMES, TABLE, model_file
from tests.genreid.zoo.packages import CONTENT, small_file


def test_the_cache_is_the_users_unless_a_variable_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder().name == "models" and cache_folder().parent.name == "genreid"
    monkeypatch.setenv("GENREID_MODELS", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"


def test_a_file_is_given_only_when_it_is_what_its_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREID_MODELS", str(tmp_path))
    file = small_file()
    monkeypatch.setattr(cache, "model_file", lambda name: file)
    with pytest.raises(
        GenreidError, match=rf"not in {re.escape(str(tmp_path))}; run `genreid models get small`$"
    ):
        require("small")
    (tmp_path / "small.bin").write_bytes(CONTENT)
    assert require("small") == tmp_path / "small.bin" and state_of(file) == "present"
    (tmp_path / "small.bin").write_bytes(b"<html>")
    assert state_of(file) == "damaged"
    with pytest.raises(GenreidError, match=r"small\.bin is not the file .*; run `genreid models get small`$"):
        require("small")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(GenreidError, match="did you mean blazepose_heavy"):
        model_file("blazepose_heavi")


def test_every_row_is_whole() -> None:
    assert (
        len(set(NAMES))
        == len({file.sha256 for file in TABLE})
        == len({file.file_name for file in TABLE})
        == 6
    )
    for file in TABLE:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.licence and file.purpose
        for source in (file.source, *file.others):
            name, _, version = source.requirement.rpartition("@" if source.client == "npm" else "==")
            assert name and re.fullmatch(r"[\d.]+", version)
