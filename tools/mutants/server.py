"""A process that has imported the libraries and forks for each run of pytest: imports take longer than most
tests. Nothing of the project is imported before the fork, so each run sees the files as they are.

Started in the copy of the project, with the libraries as arguments. Each line of its standard input asks for
a run, in JSON (see `_pytest`). It answers with two lines on its standard output: the number of the process,
which leads a group of its own, and, once that has ended and its group with it, the exit code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import tempfile
import traceback
from contextlib import suppress
from typing import Any


def main(libraries: list[str]) -> None:
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    sys.path[0] = os.getcwd()
    for library in libraries:
        importlib.import_module(library)
    gc.freeze()  # or the first collection of each fork would copy every page
    for line in sys.stdin:
        process = os.fork()
        if not process:
            _pytest(answers, **json.loads(line))
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)  # before its number is given to another
        _, status = os.waitpid(process, 0)
        os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _pytest(answers: int, arguments: list[str], environment: dict[str, str], output: str) -> None:
    """Run pytest in this fork and end it. environment: to be added. output: the file that it prints to."""
    code = 1
    try:
        os.setsid()
        os.write(answers, f"{os.getpid()}\n".encode())
        os.close(answers)
        for descriptor, path in ((0, os.devnull), (1, output)):
            opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            os.dup2(opened, descriptor)
            os.close(opened)
        os.dup2(1, 2)
        _take(environment)
        import pytest

        sys.argv = ["pytest", *arguments]
        code = int(pytest.main(arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _take(environment: dict[str, Any]) -> None:
    """As if started in this environment: what was read from it at import is read anew."""
    os.environ.update(environment)
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    tempfile.tempdir = None
    importlib.invalidate_caches()
    if "numba" in sys.modules:
        sys.modules["numba.core.config"].reload_config()
    if os.path.isfile("sitecustomize.py"):
        sys.modules.pop("sitecustomize", None)
        importlib.import_module("sitecustomize")


if __name__ == "__main__":
    main(sys.argv[1:])
