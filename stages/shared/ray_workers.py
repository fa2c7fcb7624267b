"""Workers on the nodes of a Ray cluster.

A worker is a Ray actor of one core, or of one GPU where the work is done on one. It gets one call at a time,
and only when it is idle: what is under way is bounded by the number of workers, and so is memory. A worker or
a node that dies costs the call that it was at, which another worker makes again.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Lock, Thread
from typing import Any, TypeVar

from genreid.data.files import AnyPath
from pipeline.code import code_fingerprint
from pipeline.errors import PipelineError
from stages.shared import ray_actor
from stages.shared.ray_cluster import KEPT, first_line, in_one_line, is_death, ray_cluster
from stages.shared.run import Project, StageRun

T = TypeVar("T")

MOST_DEATHS = 3
"""Workers that one call may cost, or that may die in a row as they begin, before the run ends."""
_MOST_AHEAD = 16
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_UNTIL_TOLD = 30.0


@contextmanager
def ray_pool(
    run: Project, start: Callable[..., object], arguments: Sequence[Any], sees: Sequence[AnyPath] = ()
) -> Iterator[RayPool]:
    """Workers on the nodes of the cluster; see `stages.shared.engine.open_workers`.

    Raises PipelineError where there is no Ray, or no cluster at the address.
    """
    with ray_cluster() as ray:
        on_gpu = run.options.device != "cpu" and run.device.type == "cuda"
        if on_gpu and run.device.index is not None:
            raise PipelineError(f"--device {run.device}: Ray gives each worker a GPU of its own: write cuda")
        unit = "GPU" if on_gpu else "CPU"
        num_workers = run.options.workers or max(1, int(ray.cluster_resources().get(unit, 0)))
        module = start.__module__
        try:
            packed = ray.put(pickle.dumps((start, tuple(arguments))))  # once, whatever its size
        except ray.exceptions.RayError as error:
            raise in_one_line(ray, error) from None
        begin = (
            packed,
            code_fingerprint(module),
            module,
            [str(path) for path in sees if isinstance(path, Path)],
        )
        pool = RayPool(ray, begin, num_workers, {"num_cpus": 1, "num_gpus": int(on_gpu)}, _teller(run))
        try:
            yield pool
        finally:
            pool.close()


class RayPool:
    """Ray actors in the place of processes; a `stages.shared.workers.Workers`.

    begin: the arguments of `RayWorker.begin`. needs: what a worker takes of a node. say: tells a line.
    """

    def __init__(
        self,
        ray: Any,
        begin: Sequence[Any],
        num_workers: int,
        needs: dict[str, int],
        say: Callable[[str], None],
    ) -> None:
        ray.cloudpickle.register_pickle_by_value(ray_actor)
        self._ray, self._begin, self._say = ray, begin, say
        self._actor = ray.remote(**needs, max_restarts=0)(ray_actor.RayWorker)
        self._idle: Queue[Any] = Queue()
        self._starting: dict[Any, Any] = {}
        self._lock = Lock()
        self._failure: Exception | None = None
        self._is_closed = False
        self._num_living = self._num_stillborn = self._num_deaths = 0
        self.num_workers = num_workers
        self.num_calls = num_workers + min(num_workers, _MOST_AHEAD)
        for _ in range(num_workers):
            self._add()
        self._watcher = Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """See `Workers.call`."""
        packed = pickle.dumps((function, arguments))
        for _ in range(MOST_DEATHS):
            worker = self._take()
            outcome = self._ask(worker, packed)
            if outcome is not None:
                return _value(outcome)
        raise PipelineError(
            f"{MOST_DEATHS} Ray workers in a row were killed at the same images, most often for want of "
            f"memory: give the nodes more of it, or take fewer --workers; {KEPT}"
        )

    def close(self) -> None:
        """End all workers."""
        self._is_closed = True
        self._watcher.join()
        while not self._idle.empty():
            self._end(self._idle.get())
        for worker in self._starting.values():
            self._end(worker)

    def _add(self) -> None:
        worker = self._actor.remote()
        with self._lock:
            self._starting[worker.begin.remote(*self._begin)] = worker

    def _end(self, worker: Any) -> None:
        with suppress(Exception):  # it may be gone, and the cluster with it
            self._ray.kill(worker)

    def _take(self) -> Any:
        """An idle worker, as soon as there is one. Raises what stops the whole run."""
        while True:
            if self._failure is not None:
                raise self._failure
            with suppress(Empty):
                return self._idle.get(timeout=_SECONDS_BETWEEN_LOOKS)

    def _ask(self, worker: Any, packed: bytes) -> ray_actor.Outcome | None:
        """What the worker says, which is idle again; None where it died, and another one begins."""
        try:
            outcome: ray_actor.Outcome = self._ray.get(worker.call.remote(packed))
        except self._ray.exceptions.RayError as error:
            if not is_death(self._ray, error):
                self._failure = in_one_line(self._ray, error)
                raise self._failure from None
            self._bury(worker)
            return None
        self._idle.put(worker)
        return outcome

    def _bury(self, worker: Any) -> None:
        self._end(worker)
        with self._lock:
            self._num_living -= 1
            self._num_deaths += 1
            num = self._num_deaths
        if num & (num - 1) == 0:  # a node may take many with it
            what = "a Ray worker is gone" if num == 1 else f"{num} Ray workers are gone by now"
            self._say(f"{what}, killed or with its node: what it was at is made again by another")
        self._add()

    def _watch(self) -> None:
        """Put workers among the idle ones when they have begun, until the pool is closed."""
        waited = 0.0
        while not self._is_closed and self._failure is None:
            with self._lock:
                starting = list(self._starting)
            begun: list[Any] = []
            try:
                if starting:
                    begun, _ = self._ray.wait(starting, timeout=_SECONDS_BETWEEN_LOOKS)
                else:
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
                for one in begun:
                    self._see_begun(one)
            except self._ray.exceptions.RayError as error:
                self._failure = in_one_line(self._ray, error)
            except Exception as error:  # of a worker that could not begin: every call raises it
                self._failure = error
            waited = 0.0 if self._num_living else waited + _SECONDS_BETWEEN_LOOKS
            if waited > _SECONDS_UNTIL_TOLD:
                waited = 0.0
                self._say(
                    "no Ray worker has begun yet: the cluster's cores are taken, or it loads its models"
                )

    def _see_begun(self, reference: Any) -> None:
        with self._lock:
            worker = self._starting.pop(reference)
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            if not is_death(self._ray, error):
                raise
            self._num_stillborn += 1
            if self._num_stillborn == MOST_DEATHS:
                raise PipelineError(
                    f"{MOST_DEATHS} Ray workers in a row were killed as they began ({first_line(error)}): "
                    f"look at the memory and the logs of the nodes; {KEPT}"
                ) from None
            self._add()
            return
        _value(outcome)
        with self._lock:
            self._num_stillborn = 0
            self._num_living += 1
        self._idle.put(worker)


def _value(outcome: ray_actor.Outcome) -> Any:
    kind, value = outcome
    if kind == "refused":
        raise PipelineError(value)
    if kind == "raised":
        raise value
    return value


def _teller(run: Project) -> Callable[[str], None]:
    if isinstance(run, StageRun):
        return run.tracker.say
    return lambda line: run.console.print(line, markup=False, soft_wrap=True)
