"""Files that are there whole or not at all, what is in them by hash, and where they came from.

Everything that a stage writes goes to a temporary name beside its place first, is forced to the disk and
then renamed: whoever is killed in between leaves the old file, or none. A folder that is replaced is moved
aside, and removed when the new one is in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.digest import BLANK, seal, why_damaged
from pipeline.ending import unfinished
from pipeline.errors import PipelineError, is_of_machine
from pipeline.unpacked import TooLarge, require_room_for_table, require_unpacked

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_DIGEST_KEY, _DIGEST_ENTRY = "genreid.digest", "digest"
"""Of the footer of a Parquet file, and of JSON."""

FOLDER_MARK = ".made-by-genreid"
"""The file in a folder of ours that lists the others."""
_MARK_LINE = "Made by genreid, which replaces this folder, but not with others than these files in it:"
_TEMPORARY = re.compile(r"\.(.+)\.(?:\d+|old)\.tmp", re.DOTALL)


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
    """Yields an empty temporary folder; when the block ends without an error it takes `path`'s place.

    A list of its files goes with it, by which `pipeline.outputs` knows them from others.
    """
    temporary = _temporary_name(path)
    temporary.mkdir()
    try:
        yield temporary
        files = sorted(file.relative_to(temporary).as_posix() for file in _files_below(temporary))
        (temporary / FOLDER_MARK).write_text("\n".join([_MARK_LINE, *files, ""]), encoding="utf-8")
        move_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def listed_files(folder: Path) -> set[str]:
    """What the mark of a folder that a run made lists, as paths below it; nothing where it has no mark."""
    try:
        first, *files = (folder / FOLDER_MARK).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return set()
    return set(files) if first == _MARK_LINE else set()


def move_directory(source: Path, path: Path) -> None:
    """Put the finished folder `source` (on the same disk) in the place of `path`, whatever was there.

    What was there is moved aside first and removed last: a kill leaves the old or the new, whole, and the
    next writer puts the old back where there is no new, or removes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(path)
    remove(aside)
    if os.path.lexists(path):
        os.replace(path, aside)
    os.replace(source, path)
    _flush(path.parent)
    remove(aside)


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def leftover_of(name: str) -> str | None:
    """Whose temporary file this is by its name, `.manifest.parquet.4711.tmp`; None for any other name."""
    found = _TEMPORARY.fullmatch(name)
    return found[1] if found else None


def _temporary_name(path: Path) -> Path:
    """A free name beside `path`; what a killed writer of the same file left behind is put back or removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(path) and os.path.lexists(_aside(path)):
        os.replace(_aside(path), path)
    for name in os.listdir(path.parent):
        if name.startswith(f".{path.name}.") and leftover_of(name) == path.name:
            remove(path.with_name(name))
    return path.parent / f".{path.name}.{os.getpid()}.tmp"


def _aside(path: Path) -> Path:
    return path.parent / f".{path.name}.old.tmp"


def _files_below(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if not file.is_dir())


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
    write_bytes(path, _json(content))


def write_json_artifact(path: Path, content: Mapping[str, Any]) -> None:
    """The same with a digest as its last entry, for what is read back by `read_json_artifact`."""
    # In a list, DVC does not take it for a metric, and `dvc exp show` has no column of it.
    with atomic_write(path) as temporary:
        temporary.write_bytes(_json({**content, _DIGEST_ENTRY: [BLANK]}))
        seal(temporary)


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json_artifact(path: Path, remedy: str) -> dict[str, Any]:
    """What `write_json_artifact` wrote; raises PipelineError with the `remedy` where it cannot be read."""
    try:
        require_whole(path)
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if is_of_machine(error):
            raise
        raise PipelineError(f"{path}: no readable JSON ({_first_line(error)}); {remedy}") from None
    content.pop(_DIGEST_ENTRY)
    return content


def write_table(path: Path, table: pa.Table, **options: Any) -> None:
    """A Parquet file with a digest; equal tables give equal bytes.

    options: for pyarrow's writer, zstd by default.
    """
    row_group_size = options.pop("row_group_size", None)
    with table_writer(path, table.schema, **options) as writer:
        writer.write_table(table, row_group_size=row_group_size)


@contextmanager
def table_writer(path: Path, schema: pa.Schema, **options: Any) -> Iterator[pq.ParquetWriter]:
    """Writes the same table after table: the file is there when the block ends without an error."""
    import pyarrow.parquet as pq

    with atomic_write(path) as temporary:
        with pq.ParquetWriter(temporary, schema, **{"compression": "zstd"} | options) as writer:
            yield writer
            writer.add_key_value_metadata({_DIGEST_KEY: BLANK})
        seal(temporary)


def read_table(path: Path, remedy: str) -> pa.Table:
    """A Parquet file; raises PipelineError with the `remedy` where it is missing, damaged or too large."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    require_table(path, remedy)
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        if is_of_machine(error):
            raise
        raise _no_table(path, error, remedy) from None


def require_table(path: Path, remedy: str) -> None:
    """Raise PipelineError with the `remedy` where a Parquet file is missing, damaged or too large.

    For one that is read piece by piece, too: all of it has to fit into the memory, as when it was made.
    """
    import pyarrow as pa

    try:
        require_whole(path)
        require_room_for_table(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        if is_of_machine(error):
            raise
        raise _no_table(path, error, remedy) from None


def _no_table(path: Path, error: Exception, remedy: str) -> PipelineError:
    return PipelineError(f"{path}: no readable Parquet file ({_first_line(error)}); {remedy}")


def write_torch(path: Path, content: Mapping[str, Any]) -> None:
    """A torch file of plain types and tensors, with a digest; the same content gives the same bytes.

    Given a file name, torch writes it into the archive, and the temporary one is another each time.
    Raises OSError with the `path` for a disk that is full.
    """
    import torch

    with atomic_write(path) as temporary:
        with temporary.open("w+b", buffering=0) as file:
            stream = _Writing(file)
            try:
                torch.save(content, stream)  # type: ignore[arg-type]
            except Exception:  # torch's writer makes something else of what the disk says
                if stream.failure is None:
                    raise
                raise OSError(stream.failure.errno, stream.failure.strerror, str(path)) from None
            _comment(file, BLANK.encode())
        seal(temporary)


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


def _comment(archive: RawIOBase, text: bytes) -> None:
    """Append the comment that a ZIP archive, as torch writes, may have after its last entry (two bytes that
    tell its length, and itself).
    """
    archive.seek(-2, os.SEEK_END)
    assert archive.read(2) == b"\0\0", "torch's archive has a comment already"
    archive.seek(-2, os.SEEK_END)
    archive.write(len(text).to_bytes(2, "little") + text)


def read_torch(path: Path, remedy: str) -> dict[str, Any]:
    """A torch file, on the CPU and with `weights_only`: reading it runs none of its code.

    Raises PipelineError with the `remedy` where it is missing, damaged, compressed or more than plain types.
    """
    import torch

    try:
        require_whole(path)
        require_unpacked(path)
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # for a file that is not its own torch raises a dozen kinds
        if is_of_machine(error):
            raise
        known = isinstance(
            error, OSError | RuntimeError | Damaged | TooLarge
        )  # others advise to load it unsafely
        reason = _first_line(error) if known else "it is no torch file of tensors and plain types"
        raise PipelineError(f"{path}: no readable checkpoint ({reason}); {remedy}") from None
    return content


class Damaged(ValueError):
    """A file's digest is not that of its content, or is not there; the text says which."""


def require_whole(path: Path) -> None:
    """Raise Damaged where the file's content is not what was written, OSError where it cannot be read."""
    if reason := why_damaged(path):
        raise Damaged(reason)


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
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a NUL byte is in no file's name
        return "-"
    return f"{found.st_size} {found.st_mtime_ns}"
