"""Damage of every kind, to every kind of file that carries a digest."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline import digest
from pipeline.artifacts import (
    read_json_artifact,
    read_table,
    read_torch,
    table_writer,
    write_json_artifact,
    write_table,
    write_torch,
)
from pipeline.digest import BLANK, seal, why_damaged
from pipeline.errors import PipelineError

TABLE = pa.table({"image_id": ["a", "b", "c"], "score": pa.array([0.5, 1.5, 2.5], pa.float32())})
WEIGHTS: dict[str, Any] = {"weight": torch.arange(24.0), "name": "of a network"}
METRICS = {"joint": {"mAP": 50.0}}

Writer: TypeAlias = Callable[[Path], None]
Reader: TypeAlias = Callable[[Path, str], Any]
KINDS: dict[str, tuple[Writer, Reader]] = {
    "table": (lambda path: write_table(path, TABLE), read_table),
    "torch": (lambda path: write_torch(path, WEIGHTS), read_torch),
    "json": (lambda path: write_json_artifact(path, METRICS), read_json_artifact),
}


@pytest.fixture(params=KINDS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Reader]:
    """A whole file, and its reader."""
    writer, reader = KINDS[request.param]
    writer(tmp_path / "artifact")
    return tmp_path / "artifact", reader


def test_the_digest_is_the_hash_of_the_file_with_zeros_in_its_place(kept: tuple[Path, Reader]) -> None:
    content = kept[0].read_bytes()
    (digits,) = re.findall(rb"genreid-sha256:([0-9a-f]{64})", content)
    assert hashlib.sha256(content.replace(digits, b"0" * 64)).hexdigest().encode() == digits
    assert why_damaged(kept[0]) is None


def test_every_flipped_bit_is_noticed(kept: tuple[Path, Reader]) -> None:
    path, _ = kept
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        assert why_damaged(path) is not None, f"byte {place} of {len(whole)}"


@pytest.mark.parametrize("harm", ["flip", "zeros", "insert", "cut", "longer", "empty"])
def test_the_reader_refuses_in_one_line_with_the_remedy(kept: tuple[Path, Reader], harm: str) -> None:
    path, read = kept
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "flip": whole[:middle] + bytes([whole[middle] ^ 8]) + whole[middle + 1 :],
            "zeros": bytes(16) + whole[16:],
            "insert": whole[:middle] + b"\0" + whole[middle:],
            "cut": whole[:middle],
            "longer": whole + b"\n",
            "empty": b"",
        }[harm]
    )
    with pytest.raises(PipelineError, match=r"artifact: no readable .* damaged.*; make it again$") as error:
        read(path, "make it again")
    assert "\n" not in str(error.value)


def test_a_file_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "old.pt")
    with pytest.raises(
        PipelineError, match=r"it carries no digest: it is damaged, or not written by this version\); train"
    ):
        read_torch(tmp_path / "old.pt", "train it again")


def test_what_is_whole_is_read_as_it_was_written(tmp_path: Path) -> None:
    for name, (write, _) in KINDS.items():
        write(tmp_path / name)
    read = read_torch(tmp_path / "torch", "never")
    assert torch.equal(read["weight"], WEIGHTS["weight"]) and set(read) == set(WEIGHTS)
    assert read_json_artifact(tmp_path / "json", "never") == METRICS
    described = TABLE.replace_schema_metadata({"about": "us"})
    write_table(tmp_path / "described", described)
    assert read_table(tmp_path / "described", "never").equals(described, check_metadata=True)
    assert read_table(tmp_path / "table", "never").equals(TABLE, check_metadata=True)


def test_a_table_written_in_pieces_is_sealed_when_it_is_whole(tmp_path: Path) -> None:
    with table_writer(tmp_path / "table", TABLE.schema) as writer:
        for row in range(3):
            writer.write_table(TABLE.slice(row, 1))
        assert not (tmp_path / "table").exists()
    assert read_table(tmp_path / "table", "never").equals(TABLE)


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 79, 80, 4096])
@pytest.mark.parametrize("after", [0, 1, 5, 40, 300])
def test_no_size_of_block_misses_the_mark_or_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int, after: int
) -> None:
    monkeypatch.setattr(digest, "_BLOCK_BYTES", block_bytes)
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100 + BLANK.encode() + b"y" * after)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    seal(path)
    assert path.read_bytes() == b"x" * 100 + b"genreid-sha256:" + expected.encode() + b"y" * after
    assert why_damaged(path) is None
    path.write_bytes(path.read_bytes().replace(b"x", b"z", 1))
    assert why_damaged(path) is not None


@pytest.mark.timeout(20)  # opened like a file, a pipe waits for a writer
def test_a_pipe_in_the_place_of_an_artifact(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "table")
    with pytest.raises(PipelineError, match="it is no ordinary file"):
        read_table(tmp_path / "table", "make it again")
