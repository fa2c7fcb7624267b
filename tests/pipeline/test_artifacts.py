from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipeline.artifacts import (
    FOLDER_MARK,
    atomic_directory,
    atomic_write,
    hash_path,
    read_json_artifact,
    read_table,
    read_torch,
    require_table,
    write_json,
    write_table,
    write_torch,
)
from pipeline.errors import PipelineError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "artifact"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["artifact"]


def test_the_file_is_invisible_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "artifact"
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".artifact.123.tmp").write_text("half")
    (tmp_path / ".folder.123.tmp").mkdir()
    (tmp_path / ".other.123.tmp").write_text("of another writer")
    with atomic_write(tmp_path / "artifact") as temporary:
        temporary.write_text("new")
    with atomic_directory(tmp_path / "folder"):
        pass
    assert sorted(os.listdir(tmp_path)) == [".other.123.tmp", "artifact", "folder"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "part-00007").write_text("old")
    with pytest.raises(RuntimeError), atomic_directory(folder) as temporary:
        (temporary / "part-00000").write_text("half")
        raise RuntimeError
    assert os.listdir(folder) == ["part-00007"]
    with atomic_directory(folder) as temporary:
        (temporary / "part-00000").write_text("new")
    assert sorted(os.listdir(folder)) == [FOLDER_MARK, "part-00000"]
    assert os.listdir(tmp_path) == ["shards"]


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_leaves_the_old_or_the_new_and_the_next_run_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """Killed before, between and after the two renames that replace a folder."""
    folder = tmp_path / "shards"
    with atomic_directory(folder) as temporary:
        (temporary / "part").write_text("old")
    done: list[Path] = []
    replace = os.replace

    def replace_or_die(source: Path, target: Path) -> None:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(target)
        replace(source, target)

    def die_or_remove(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:  # of what was moved aside
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace_or_die)
        patch.setattr(shutil, "rmtree", die_or_remove)
        with pytest.raises(KeyboardInterrupt), atomic_directory(folder) as temporary:
            (temporary / "part").write_text("new")
    whole = [path.read_text() for path in tmp_path.glob("*shards*/part")]
    assert "old" in whole or "new" in whole
    with pytest.raises(RuntimeError), atomic_directory(folder):
        raise RuntimeError
    assert os.listdir(tmp_path) == ["shards"]
    assert (folder / "part").read_text() == ("new" if renames == 2 else "old")


def test_what_only_looks_like_a_leftover_stays(tmp_path: Path) -> None:
    kept = [".a.notes.tmp", ".a.12.tmp.txt", ".ab.12.tmp", "a.12.tmp"]
    for name in kept:
        (tmp_path / name).write_text("mine")
    for name in ("a", "*", "[a]"):
        with atomic_write(tmp_path / name) as temporary:
            temporary.write_text("new")
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "a", "*", "[a]"])


def test_tables_have_equal_bytes_and_small_row_groups(tmp_path: Path) -> None:
    table = pa.table(
        {"image_id": [f"{i:03d}" for i in range(100)], "score": pa.array(range(100), pa.float32())}
    )
    write_table(tmp_path / "a", table, row_group_size=16)
    write_table(tmp_path / "b", table, row_group_size=16)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pq.ParquetFile(tmp_path / "a").num_row_groups == 7
    assert read_table(tmp_path / "a", "never").equals(table)


@pytest.mark.parametrize("content", [None, b"", b"no parquet at all"])
def test_an_unreadable_table_names_its_place_and_the_remedy(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "part-00000.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        PipelineError, match=r"part-00000.parquet: no readable Parquet file .*; run it again"
    ) as error:
        read_table(path, "run it again")
    assert "\n" not in str(error.value)


def test_the_same_content_gives_the_same_torch_file_under_any_name(tmp_path: Path) -> None:
    paths = [tmp_path / "model.pt", tmp_path / "other.pt"]
    for path in paths:
        write_torch(path, {"weight": torch.arange(3.0), "names": ["a"]})
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_torch_files_hold_plain_types_and_tensors(tmp_path: Path) -> None:
    content = {
        "weight": torch.arange(3.0),
        "epoch": 2,
        "history": [{"png": b"\x89\x00", "loss": 0.5, "name": None}],
    }
    write_torch(tmp_path / "model.pt", content)
    read = read_torch(tmp_path / "model.pt", "never")
    assert torch.equal(read.pop("weight"), torch.arange(3.0))
    assert read == {"epoch": 2, "history": content["history"]}


class Dangerous:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/never-run",)


@pytest.mark.parametrize("kind", ["missing", "cut", "code"])
def test_an_unreadable_checkpoint_names_the_remedy(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.pt"
    if kind == "cut":
        write_torch(path, {"weight": torch.arange(1000.0)})
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "code":
        write_torch(path, {"weight": Dangerous()})
    with pytest.raises(PipelineError, match=r"model.pt: no readable checkpoint .*; run it again") as error:
        read_torch(path, "run it again")
    assert "\n" not in str(error.value) and "weights_only" not in str(error.value)


def test_json_refuses_what_is_no_json(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {"b": 1, "a": 0.5})
    assert (tmp_path / "metrics.json").read_text() == '{\n  "b": 1,\n  "a": 0.5\n}\n'
    with pytest.raises(ValueError):
        write_json(tmp_path / "metrics.json", {"b": float("nan")})
    assert json.loads((tmp_path / "metrics.json").read_text())["b"] == 1


def test_hashes_tell_content_names_and_places(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert hash_path(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "x").write_bytes(b"abc")
    before = hash_path(folder)
    assert hash_path(folder) == before
    (folder / "below" / "x").rename(folder / "x")
    assert hash_path(folder) != before


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_file_that_this_machine_cannot_read_now_is_not_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It would be made again in vain, and hours may be in it."""
    write_table(tmp_path / "a.parquet", pa.table({"a": [1]}))
    write_torch(tmp_path / "a.pt", {"a": 1})

    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("torch.load", fail)
    monkeypatch.setattr("pyarrow.parquet.read_table", fail)
    readers = (read_torch, read_table) if not isinstance(error, RuntimeError) else (read_torch,)
    for read in readers:
        with pytest.raises(type(error)) as told:
            read(tmp_path / ("a.pt" if read is read_torch else "a.parquet"), "make it again")
        assert told.value is error


@pytest.mark.parametrize("read", [read_torch, read_table, require_table, read_json_artifact])
def test_nor_is_one_whose_digest_cannot_be_read_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path, str], object]
) -> None:
    error = OSError(errno.EIO, "Input/output error")

    def fail(path: Path) -> None:
        raise error

    monkeypatch.setattr("pipeline.artifacts.why_damaged", fail)
    with pytest.raises(OSError) as told:
        read(tmp_path / "an artifact", "make it again")
    assert told.value is error


@pytest.mark.parametrize("size", [1, 3_000_000])
def test_a_full_disk_under_torchs_writer_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    (tmp_path / "full").symlink_to("/dev/full")  # every write to it finds no space left
    monkeypatch.setattr("pipeline.artifacts._temporary_name", lambda path: tmp_path / "full")
    (tmp_path / "a.pt").write_bytes(b"old")
    with pytest.raises(OSError, match="No space left") as told:
        write_torch(tmp_path / "a.pt", {"weights": torch.zeros(size)})
    assert told.value.errno == errno.ENOSPC and told.value.filename == str(tmp_path / "a.pt")
    assert os.listdir(tmp_path) == ["a.pt"] and (tmp_path / "a.pt").read_bytes() == b"old"
