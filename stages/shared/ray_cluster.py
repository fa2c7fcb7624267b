"""The Ray cluster that a command works on: found, connected to, and what it says put into one line."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from types import ModuleType
from typing import Any

from pipeline.ending import EXIT_CODES
from pipeline.errors import PipelineError

ADDRESS = "GENREID_RAY"
"""The environment variable that names the cluster."""
KEPT = "what is finished is kept: run the command again, and it goes on"
_SECONDS_TO_ANSWER = 5.0
_JOIN = "run the command on a node of the cluster, or make this machine one by `ray start --address={}`"


@contextmanager
def ray_cluster() -> Iterator[Any]:
    """The package `ray`, connected to the cluster that GENREID_RAY names.

    Raises PipelineError where the package or the cluster is not there, or is of another version.
    """
    ray = _package()
    if ray.is_initialized():  # by who calls the command from Python
        yield ray
        return
    _connect(ray, _address())
    try:
        yield ray
    finally:
        ray.shutdown()


def in_one_line(ray: ModuleType, error: Exception) -> Exception:
    """What the run ends with where Ray itself failed: a line, or the error as it is where it is a fault of
    the program."""
    cause = getattr(error, "cause", None)
    full = (ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError)
    if isinstance(error, full) or isinstance(cause, full):
        return PipelineError(
            "the object store of a Ray node, and the disk behind it, are full: free them, or begin the nodes "
            f"with more (`ray start --object-store-memory`); {KEPT}"
        )
    if isinstance(error, ray.exceptions.RayTaskError):
        return error
    return PipelineError(f"the Ray cluster failed ({first_line(error)}): {KEPT}")


def first_line(error: Exception) -> str:
    """Of an error's message, which in Ray may have many."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".:") if lines else type(error).__name__


def is_death(ray: ModuleType, error: Exception) -> bool:
    """Whether an error says that a worker or its node is gone, perhaps with what it had made."""
    known = ray.exceptions
    return isinstance(
        error, known.RayActorError | known.NodeDiedError | known.WorkerCrashedError | known.ObjectLostError
    )


def _package() -> Any:
    try:
        import ray
    except ImportError:
        raise PipelineError('--on ray: Ray is not installed: pip install "genreid[ray]"') from None
    return ray


def _address() -> str:
    """`auto`, or the address of a cluster that answers."""
    given = os.environ.get(ADDRESS) or "auto"
    if given == "auto":
        given = os.environ.get("RAY_ADDRESS") or "auto"
    if given == "auto":
        return given
    host, colon, port = given.rpartition(":")
    if "/" in given or not (colon and host and port.isdecimal()):
        raise PipelineError(f"{ADDRESS}: '{given}': write auto or HOST:PORT, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PipelineError(
            f"no Ray cluster answers at {given} ({reason}): begin one by `ray start --head`, or name another "
            f"by {ADDRESS}"
        ) from None
    return given


def _connect(ray: Any, address: str) -> None:
    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
        _quieten(ray)
    except ConnectionError:
        raise PipelineError(
            "no Ray cluster was found from this machine: begin one by `ray start --head`, or name one by "
            f"{ADDRESS}"
        ) from None
    except (RuntimeError, ValueError, TimeoutError) as error:
        words = " ".join(str(error).split())
        if "ersion mismatch" in words:
            raise PipelineError(
                f"the Ray cluster at {address} is of other versions ({words}): take the same Python and the "
                "same Ray on every node and here"
            ) from None
        raise PipelineError(
            f"the Ray cluster at {address} cannot be joined ({first_line(error)}): {_JOIN.format(address)}"
        ) from None
    finally:
        for number, handler in before.items():  # Ray takes SIGTERM for itself
            signal.signal(number, handler)


def _quieten(ray: Any) -> None:
    """Ray prints the end of a worker among a command's output, and has no switch for it."""
    worker = ray._private.worker
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None
