"""SECURITY.md names the tests that hold what it says, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"\[(test_\w+)\]\(([\w/]+\.py)\)", PAGE)))


@pytest.mark.parametrize(("test", "file"), NAMED)
def test_a_test_that_is_named_is_there(test: str, file: str) -> None:
    assert f"\ndef {test}(" in (ROOT / file).read_text(encoding="utf-8")


def test_every_kind_of_file_names_one() -> None:
    rows = [
        line
        for line in PAGE.split("\n## ")[0].splitlines()
        if line.startswith("| ") and not line.startswith("| file")
    ]
    assert len(rows) == 9
    assert all("[test_" in row for row in rows)
    files = " ".join(rows)
    for kind in ("torch.load", "SMPL", "ROMP", "npz", "Parquet", "YAML", "pictures"):
        assert kind in files
