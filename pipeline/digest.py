"""The digest that a file carries of its own content, so that damage is noticed before it becomes a result.

Neither torch nor Parquet's reader notices a flipped bit in a weight or a number. A file of ours holds, where
its format has room for a remark, the words `genreid-sha256:` and 64 digits: the SHA-256 of the whole file
with these digits as zeros. Every byte counts, headers and the digest's own place too, and the same content
still gives the same bytes.
"""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import BinaryIO

_MARK = b"genreid-sha256:"
_NUM_DIGITS = 64
_ZEROS = b"0" * _NUM_DIGITS
BLANK = (_MARK + _ZEROS).decode()
"""What a writer puts into a file for `seal` to fill in."""

_BLOCK_BYTES = 1 << 20


def seal(path: Path) -> None:
    """Fill in the digest of a file that was written with one `BLANK`."""
    with path.open("r+b") as file:
        place = _find_digits(file)
        assert place is not None, f"{path} was written without room for a digest"
        digits = _digest(file, place)
        file.seek(place)
        file.write(digits)


def has_digest(path: Path) -> bool:
    """Whether a file carries a digest, right or not: no other program's does. Raises OSError."""
    with path.open("rb") as file:
        return _find_digits(file) is not None


def why_damaged(path: Path) -> str | None:
    """What the file's digest says against its content, in a few words; None where all is well.

    The whole file is read once. Raises OSError where it cannot be.
    """
    if stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):  # a pipe may never end
        return "it is no ordinary file"
    with path.open("rb") as file:
        place = _find_digits(file)
        if place is None:
            return "it carries no digest: it is damaged, or not written by this version"
        file.seek(place)
        kept = file.read(_NUM_DIGITS)
        return None if kept == _digest(file, place) else "its content is not what was written: it is damaged"


def _find_digits(file: BinaryIO) -> int | None:
    """Where the digits of the last mark begin: all formats have it near their end."""
    end = file.seek(0, 2)
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        file.seek(start)
        found = file.read(end - start + len(_MARK)).rfind(_MARK)
        if found >= 0:
            return start + found + len(_MARK)
        end = start
    return None


def _digest(file: BinaryIO, place: int) -> bytes:
    """Hexadecimal digits of the SHA-256 of the file, the digits at `place` taken for zeros."""
    digest = hashlib.sha256()
    file.seek(0)
    left = place
    while left > 0:
        block = file.read(min(left, _BLOCK_BYTES))
        if not block:
            break
        digest.update(block)
        left -= len(block)
    digest.update(_ZEROS)
    file.seek(place + _NUM_DIGITS)
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest().encode()
