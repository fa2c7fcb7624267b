"""Model files on this machine: in the user's cache, checked against their hashes when asked for."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO, Literal

from genreid.errors import GenreidError
from genreid.zoo.table import ModelFile, model_file

VARIABLE = "GENREID_MODELS"
"""The environment variable that names another folder than the user's cache."""

State = Literal["present", "missing", "damaged"]
_PIECE = 1 << 20


def cache_folder() -> Path:
    """Where model files are kept; it need not be there."""
    if named := os.environ.get(VARIABLE):
        return Path(os.path.expanduser(named)).absolute()
    import platformdirs

    return platformdirs.user_cache_path("genreid", appauthor=False) / "models"


def place_of(file: ModelFile) -> Path:
    """Where the file is kept, there or not."""
    return cache_folder() / file.file_name


def state_of(file: ModelFile) -> State:
    """Whether the file is there, and is what its name says."""
    place = place_of(file)
    if not place.is_file():
        return "missing"
    return "present" if hash_of(place) == file.sha256 else "damaged"


def require(name: str) -> Path:
    """The model file of this name, checked. Raises GenreidError with the command that brings it."""
    file = model_file(name)
    place, state = place_of(file), state_of(file)
    if state == "missing":
        raise GenreidError(
            f"{file.file_name} ({file.num_bytes / 1e6:.1f} MB) is not in {place.parent}; run `{file.command}`"
        )
    if state == "damaged":
        raise GenreidError(f"{place} is not the file that {name} names; run `{file.command}`")
    return place


def put(file: ModelFile, stream: IO[bytes], origin: str) -> Path:
    """Keep what `stream` holds as this model file, at once or not at all.

    Raises GenreidError, naming `origin`, where it is another file or a part of one: what was there stays.
    """
    place = place_of(file)
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target:
            num_bytes, sha256 = _copy(stream, target, file.num_bytes)
            os.fsync(target.fileno())
        if sha256 != file.sha256:
            short = f"{num_bytes:,} of {file.num_bytes:,} bytes" if num_bytes < file.num_bytes else "changed"
            raise GenreidError(
                f"{origin}: refused as {file.name}: {short} (SHA-256 {sha256[:12]}…, expected "
                f"{file.sha256[:12]}…); nothing was replaced, fetch it again"
            )
        temporary.chmod(0o644)
        os.replace(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)
    return place


def hash_of(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _copy(stream: IO[bytes], target: IO[bytes], most: int) -> tuple[int, str]:
    """Copy all, or a little more than `most` bytes of what is too long. Returns how many, and their hash."""
    digest, num = hashlib.sha256(), 0
    while num <= most and (piece := stream.read(_PIECE)):
        target.write(piece)
        digest.update(piece)
        num += len(piece)
    return num, digest.hexdigest()
