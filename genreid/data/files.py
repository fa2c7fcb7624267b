"""The bytes of a picture's file, and whose fault it is where there are none."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from genreid.errors import GenreidError, is_of_machine


def read_file(path: Path, root: Path | None = None) -> bytes:
    """The content of the file at `path`. root: the folder of the whole data set, where there is one.

    Raises:
        GenreidError: there is no such file: a list may name one that nobody has, what can be no name, or a
            pipe that never ends.
        OSError: the machine cannot read it now (descriptors, rights, a disk, a folder that is gone), which
            says nothing of the picture.
    """
    try:
        with open(path, "rb", opener=_opened) as file:  # cv2.imread cannot open every non-ASCII path
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise GenreidError(f"{path}: no ordinary file")
            return file.read()
    except ValueError as error:  # a NUL byte
        if isinstance(error, GenreidError):
            raise
        raise GenreidError(f"{path}: no file can have this name ({error})") from None
    except OSError as error:
        if is_of_machine(error):
            error.filename = error.filename or str(path)  # a failing read, unlike open, names no file
            raise
        if root is not None and _is_gone(root):
            raise OSError(errno.ENODEV, "is gone, or empty", str(root)) from None
        raise GenreidError(f"{path}: {error.strerror or error}") from None


def _opened(path: str, flags: int) -> int:
    """Without waiting: a pipe named like a picture would open when somebody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_gone(root: Path) -> bool:
    """A network folder that is no longer connected is an empty one, or none."""
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
