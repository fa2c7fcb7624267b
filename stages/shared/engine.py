"""The workers that the option `--on` names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from genreid.data.files import AnyPath
from stages.shared.options import Engine
from stages.shared.run import Project
from stages.shared.workers import Here, Workers, process_pool


@contextmanager
def open_workers(
    run: Project,
    start: Callable[..., object],
    *arguments: Any,
    here: int = 0,
    sees: Sequence[AnyPath] = (),
) -> Iterator[Workers]:
    """Workers each of which calls `start(*arguments)` once.

    start and what is called: functions of one module, whose code nodes must have as it is here. here: for
    work that this machine does in this process: the threads that may call; 0: it takes `run.workers`
    processes. sees: what every node has to see at the same place, where it is on a disk.
    Raises PipelineError where the option asks for a cluster that is not there.
    """
    if run.options.on == Engine.ray:
        from stages.shared.ray_workers import ray_pool

        with ray_pool(run, start, arguments, sees) as pool:
            yield pool
    elif here:
        start(*arguments)
        yield Here(here)
    else:
        with process_pool(run.workers, start, *arguments) as processes:
            yield processes
