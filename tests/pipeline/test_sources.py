"""What sources came to is kept between runs, and nothing else than reading them anew would say."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import sources
from pipeline.code import code_fingerprint
from pipeline.sources import Sources

_NUMBERS = itertools.count()
KEPT = "kept/readings.json"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `start` imports `one` of."""
    folder = tmp_path / f"kept_tree{next(_NUMBERS)}"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    (folder / "start.py").write_text(f"from {folder.name} import one\nfrom . import one as two")
    (folder / "one.py").write_text("x = 1")
    return folder


def fingerprint(tree: Path, kept: Path | None) -> dict[str, str]:
    looked = Sources(kept)
    found = code_fingerprint(f"{tree.name}.start", (tree.name,), looked)
    looked.keep()
    return found


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The sources that are read and not remembered."""
    told: list[bytes] = []
    really = sources._read

    def noted(content: bytes) -> sources.Reading:
        told.append(content)
        return really(content)

    monkeypatch.setattr(sources, "_read", noted)
    return told


def test_a_source_is_read_once_until_it_changes(tree: Path, tmp_path: Path, read: list[bytes]) -> None:
    kept = tmp_path / KEPT
    first = fingerprint(tree, kept)
    assert len(read) == 2 and kept.exists()
    written = kept.stat().st_mtime_ns
    assert fingerprint(tree, kept) == first == fingerprint(tree, None)
    assert len(read) == 4 and kept.stat().st_mtime_ns == written  # two of them without the file

    (tree / "one.py").write_text("x = 2")
    changed = fingerprint(tree, kept)
    assert read[4:] == [b"x = 2"]
    assert {name for name in first if changed[name] != first[name]} == {f"{tree.name}.one"}
    assert changed == fingerprint(tree, None)
    del read[:]
    assert fingerprint(tree, kept) == changed and read == []


def test_one_look_at_the_disk_serves_several_fingerprints(tree: Path, read: list[bytes]) -> None:
    looked = Sources()
    first = code_fingerprint(f"{tree.name}.start", (tree.name,), looked)
    assert code_fingerprint(f"{tree.name}.start", (tree.name,), looked) == first
    assert len(read) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: "{",
        lambda told: "[]",
        lambda told: json.dumps({"readings": told["readings"]}),
        lambda told: json.dumps({**told, "made_by": "Python 2"}),
        lambda told: json.dumps({**told, "readings": {key: ["0"] for key in told["readings"]}}),
        lambda told: json.dumps({**told, "readings": {key: ["0", [[0, "a"]]] for key in told["readings"]}}),
    ],
    ids=["cut", "list", "no maker", "other maker", "no imports", "short import"],
)
def test_a_file_that_is_of_no_use_is_made_anew(
    spoil: Callable[[dict[str, object]], str], tree: Path, tmp_path: Path, read: list[bytes]
) -> None:
    kept = tmp_path / KEPT
    first = fingerprint(tree, kept)
    good = kept.read_text()
    kept.write_text(spoil(json.loads(good)))
    assert fingerprint(tree, kept) == first and len(read) == 4
    assert json.loads(kept.read_text()) == json.loads(good)
