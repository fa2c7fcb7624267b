"""The bytes of a picture's file, on a disk or in a store, and whose fault it is where there are none."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from genreid.data.objects import ObjectPath, reading_threads
from genreid.errors import GenreidError, is_of_machine

S = TypeVar("S")
T = TypeVar("T")

AnyPath = Path | ObjectPath
"""Of a folder of images, or of an image in it."""


def read_file(path: AnyPath, root: AnyPath | None = None) -> bytes:
    """The content of the file at `path`. root: the folder of the whole data set, where there is one.

    Raises:
        GenreidError: there is no such file: a list may name one that nobody has, what can be no name, or a
            pipe that never ends.
        OSError: the machine cannot read it now (descriptors, rights, a disk, a network, a folder that is
            gone), which says nothing of the picture.
    """
    if isinstance(path, ObjectPath):
        return path.read_bytes()
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
        if isinstance(root, Path) and _is_gone(root):
            raise OSError(errno.ENODEV, "is gone, or empty", str(root)) from None
        raise GenreidError(f"{path}: {error.strerror or error}") from None


def read_each(read: Callable[[S], T], items: Iterable[S], root: AnyPath) -> Iterator[T]:
    """What `read` returns for each item, in order: one after another where `root` is on a disk, and many at
    once where it is in an object store, which takes its time for each."""
    return map(read, items) if isinstance(root, Path) else reading_threads().map(read, items)


def opened(root: AnyPath) -> AnyPath:
    """The same folder, once this process has what it takes to read there: a package for its object store.

    Raises GenreidError, where later an image would be blamed.
    """
    if isinstance(root, ObjectPath):
        root.store.open()
    return root


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
