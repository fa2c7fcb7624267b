"""What runs in a Ray worker.

This module is sent to the nodes as it is here, by value, and begins before anything of genreid is imported
there; so it imports nothing but Python at first, and what it is to do stays packed until genreid is found
and is the same as where the command runs.
"""

from __future__ import annotations

import os
import pickle
import platform
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

_INSTALL = (
    'install the same genreid and the same packages on every node (pip install "genreid[ray]==VERSION")'
)
_OF_USERS = ("GenreidError", "PipelineError")

Outcome = tuple[str, Any]
"""("returned", value), ("raised", exception), or ("refused", line)."""


class RayWorker:
    """`begin` once, then any number of calls, one at a time."""

    def __init__(self) -> None:
        self._node = socket.gethostname()

    def begin(self, packed: bytes, code: Mapping[str, str], module: str, paths: Sequence[str]) -> Outcome:
        """Find genreid, see whether it can do the same here, and call what `packed` holds; returns the pid.

        code: the fingerprint of `module` where the command runs. paths: what has to be here.
        """
        from ray.util import get_node_ip_address

        self._node = f"{socket.gethostname()} ({get_node_ip_address()})"
        if line := _not_found() or _difference(code, module) or _unseen(paths):
            return "refused", f"node {self._node}: {line}"
        kind, value = self.call(packed)
        return (kind, value) if kind == "raised" else (kind, os.getpid())

    def call(self, packed: bytes) -> Outcome:
        """What comes of a pickled function and its arguments."""
        try:
            function, arguments = pickle.loads(packed)
            _take_one_core()
            return "returned", function(*arguments)
        except Exception as error:
            return "raised", self._told(error)

    def _told(self, error: Exception) -> Exception:
        """The same error, with the node's name in it."""
        if isinstance(error, OSError) and error.errno is not None:
            return OSError(error.errno, error.strerror, f"{error.filename or 'a file'} on node {self._node}")
        if type(error).__name__ in _OF_USERS:
            return type(error)(f"node {self._node}: {error}")
        error.add_note(f"On node {self._node}:\n{traceback.format_exc()}")
        return error


def _take_one_core() -> None:
    """Of what has been imported by now."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)


def _not_found() -> str | None:
    try:
        from genreid.program import find_program_first
    except ImportError as error:
        return f"genreid is not there ({error}): {_INSTALL}"
    find_program_first()
    return None


def _difference(code: Mapping[str, str], module: str) -> str | None:
    """What can change a result and is another one here: Python, genreid, or a package."""
    python = ".".join(platform.python_version_tuple()[:2])
    if python != code["python"]:
        return f"Python {python}, where the command runs {code['python']}: take the same on every node"
    try:
        from pipeline.code import PROJECT, code_fingerprint

        found = code_fingerprint(module)
    except Exception as error:  # of another version, which may lack anything
        return f"another genreid than where the command runs ({error}): {_INSTALL}"
    for name in sorted(found.keys() | code.keys()):
        there, here = (one.get(name, "none") for one in (found, code))
        if there != here and name.partition(".")[0] in PROJECT:
            return f"another genreid than where the command runs ({name} differs): {_INSTALL}"
        if there != here:
            return f"{name} {there}, where the command runs {here}: {_INSTALL}"
    return None


def _unseen(paths: Sequence[str]) -> str | None:
    for path in paths:
        if not os.path.exists(path):
            return f"{path} is not there: every node has to see it at this place (a network folder, say)"
    return None
