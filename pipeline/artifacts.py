"""Files that are there whole or not at all, what is in them by hash, and where they came from.

Everything that a stage writes goes to a temporary name beside its place first, is forced to the disk and
then renamed: whoever is killed in between leaves the old file, or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.ending import unfinished
from pipeline.errors import PipelineError, is_of_machine

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary file's path; when the block ends without an error it becomes `path`."""
    temporary = _temporary_name(path)
    unfinished.add(str(temporary))
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        unfinished.discard(str(temporary))


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yields an empty temporary folder; when the block ends without an error it takes `path`'s place."""
    temporary = _temporary_name(path)
    temporary.mkdir()
    try:
        yield temporary
        move_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def move_directory(source: Path, path: Path) -> None:
    """Put the finished folder `source` (on the same disk) in the place of `path`, whatever was there."""
    remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, path)
    _flush(path.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _temporary_name(path: Path) -> Path:
    """A free name beside `path`; what a killed writer of the same file left behind is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        remove(leftover)
    return path.parent / f".{path.name}.{os.getpid()}.tmp"


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Indented JSON in the order given, ending with a newline."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_table(path: Path, table: pa.Table, **options: Any) -> None:
    """A Parquet file; `options` go to pyarrow's writer, zstd by default. Equal tables give equal bytes."""
    import pyarrow.parquet as pq

    with atomic_write(path) as temporary:
        pq.write_table(table, temporary, **{"compression": "zstd"} | options)


def read_table(path: Path, remedy: str) -> pa.Table:
    """A Parquet file; raises PipelineError with the `remedy` where it is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        if is_of_machine(error):
            raise
        raise PipelineError(f"{path}: no readable Parquet file ({_first_line(error)}); {remedy}") from None


def write_torch(path: Path, content: Mapping[str, Any]) -> None:
    """A torch file of plain types and tensors; the same content gives the same bytes.

    Given a file name, torch writes it into the archive, and the temporary one is another each time.
    Raises OSError with the `path` for a disk that is full.
    """
    import torch

    with atomic_write(path) as temporary, temporary.open("wb", buffering=0) as file:
        stream = _Writing(file)
        try:
            torch.save(content, stream)  # type: ignore[arg-type]
        except Exception:  # torch's writer makes something else of what the disk says
            if stream.failure is None:
                raise
            raise OSError(stream.failure.errno, stream.failure.strerror, str(path)) from None


class _Writing:
    """A file to write to that remembers why it could not be."""

    def __init__(self, file: RawIOBase) -> None:
        self._file = file
        self.failure: OSError | None = None

    def write(self, content: Any) -> int:
        rest = memoryview(content).cast("B")
        size = len(rest)
        try:
            while len(rest):  # a disk that is nearly full takes a part
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.failure = error
            raise
        return size

    def flush(self) -> None:
        """Nothing is held back."""


def read_torch(path: Path, remedy: str) -> dict[str, Any]:
    """A torch file, on the CPU and with `weights_only`: reading it runs none of its code.

    Raises PipelineError with the `remedy` where it is missing, damaged or holds more than plain types.
    """
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # for a file that is not its own it raises a dozen kinds
        if is_of_machine(error):
            raise
        known = isinstance(error, OSError | RuntimeError)  # what others say advises to load it unsafely
        reason = _first_line(error) if known else "it is no torch file of tensors and plain types"
        raise PipelineError(f"{path}: no readable checkpoint ({reason}); {remedy}") from None


def _first_line(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):  # its own text is the path, which is told already
        return "no such file"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def hash_path(path: Path) -> str:
    """SHA-256 of a file's content, or of the names and hashes of all files in a folder."""
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()} {hash_path(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stamp(path: Path) -> str:
    """Size and time of change (ns) of a file: another stamp is another file, found without reading it.

    "-" where there is none.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return "-"
    return f"{found.st_size} {found.st_mtime_ns}"
