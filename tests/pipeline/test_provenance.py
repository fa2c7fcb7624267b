from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from pipeline.provenance import git_revision, write_provenance


def test_what_is_kept_beside_the_outs(tmp_path: Path) -> None:
    write_provenance(tmp_path, "evaluate", device="cpu", seconds=1.25, facts={"images": 3})
    record = json.loads((tmp_path / "provenance" / "evaluate.json").read_text())
    assert record["stage"] == "evaluate" and record["seconds"] == 1.2 and record["device"] == "cpu"
    assert record["images"] == 3 and record["versions"]["numpy"] == np.__version__ and record["git"] == "none"


def test_the_revision_says_whether_files_differ_from_it(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.check_output(["git", "-C", str(tmp_path), *identity, *arguments], text=True).strip()

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "first")
    assert git_revision(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "file").write_text("2")
    assert git_revision(tmp_path) == git("rev-parse", "HEAD") + "+changes"


ALLOCATE = """
from pipeline.provenance import peak_memory_mb
before = peak_memory_mb()
block = b"1" * int((before + 100) * 1e6)
print(len(block) / 1e6, peak_memory_mb())
"""


def test_peak_memory_sees_what_was_allocated() -> None:
    output = subprocess.check_output([sys.executable, "-c", ALLOCATE], text=True)
    allocated, peak = map(float, output.split())
    assert allocated <= peak < allocated + 100
