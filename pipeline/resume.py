"""What a stage keeps while it runs, so that it can be killed at any moment and go on.

DVC deletes a stage's outs before it runs it, so the state lives outside them, in `.genreid/state/<stage>/`:
finished chunks, the newest snapshot of the science with the history of its reports, and the curves so far.
All of it belongs to one fingerprint (params, inputs, code); whatever was kept under another one is removed
and never resumed. One process at a time holds the stage's lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.artifacts import read_torch, write_json, write_torch
from pipeline.errors import PipelineError

STATE_FOLDER = Path(".genreid") / "state"
SAVE_SECONDS_VARIABLE = "GENREID_SAVE_SECONDS"
_DEFAULT_SAVE_SECONDS = 30.0
_STATE_VERSION = "2"  # of the files below; a change makes every state kept so far stale

Fingerprint = Mapping[str, str]
"""What a result depends on, by name: {"train_joint.lr": "0.1", "data/manifest.parquet": "9f3…"}."""


class StageLock:
    """An exclusive lock that ends with its process, however that ends, and tells whose it is.

    A POSIX record lock: unlike `flock` it is not inherited by forked workers, which may outlive a killed
    stage.
    """

    def __init__(self, path: Path, stage: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+")
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # what POSIX has for a lock that another process holds
            self._file.seek(0)
            pid = self._file.read().strip() or "unknown"
            self._file.close()
            raise PipelineError(
                f"{stage} is already running (process {pid}): wait for its end, or end it with `kill {pid}`"
            ) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        self._file.close()


class StageState:
    """The state of one stage; open it with `with`, and `succeed()` when the outs are written.

    folder: `.genreid/state/<stage>`. history: rows of plain values that travel with every snapshot (the
    tracker's reports). resumed: whether there was a state of the same fingerprint. notice: the line to tell
    the user about what was found, or "".
    It keeps snapshots as `genreid.progress.Checkpoints` asks, at most one every `save_seconds`.
    """

    def __init__(
        self,
        root: Path,
        stage: str,
        fingerprint: Fingerprint,
        *,
        fresh: bool,
        save_seconds: float | None = None,
    ) -> None:
        self.stage = stage
        self.folder = root / STATE_FOLDER / stage
        self.history: list[dict[str, Any]] = []
        self.resumed = False
        self.notice = ""
        self._fingerprint = {"format of the state": _STATE_VERSION} | dict(fingerprint)
        self._fresh = fresh
        self._save_seconds = save_seconds_from_environment() if save_seconds is None else save_seconds
        self._last_save = time.monotonic()
        self._lock: StageLock | None = None

    def __enter__(self) -> StageState:
        self._lock = StageLock(self.folder.with_name(f"{self.stage}.lock"), self.stage)
        kept = self._read_fingerprint()
        if kept == self._fingerprint and not self._fresh:
            self.resumed = True
            self.notice = f"{self.stage}: goes on from its kept state"
        else:
            if kept is not None:
                self.notice = f"{self.stage}: starts afresh: {self._why_stale(kept)}"
            self._clear()
            self.folder.mkdir(parents=True)
            write_json(self._fingerprint_path, self._fingerprint)
        self._last_save = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def restore(self) -> dict[str, Any] | None:
        """The newest snapshot of the science, or None; `history` becomes what it was then."""
        if not self._snapshot_path.exists():
            return None
        kept = read_torch(self._snapshot_path, f"start again with `genreid {self.stage} --fresh`")
        self.history[:] = kept["history"]
        return kept["science"]

    def offer(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        """Called after every step; saves what `snapshot` returns when the last save is long enough ago."""
        if time.monotonic() - self._last_save < self._save_seconds:
            return
        write_torch(self._snapshot_path, {"science": snapshot(), "history": list(self.history)})
        self._last_save = time.monotonic()

    def chunk(self, index: int) -> Path:
        """Where finished piece number `index` is kept; a piece whose file exists is done."""
        folder = self.folder / "chunks"
        folder.mkdir(exist_ok=True)
        return folder / f"{index:06d}.parquet"

    def keep(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `make` returned when it was first asked for under this name: plain types and tensors."""
        path = self.folder / f"{name}.kept.pt"
        if not path.exists():
            write_torch(path, make())
        return read_torch(path, f"start again with `genreid {self.stage} --fresh`")

    def succeed(self) -> None:
        """The outs are written: nothing is left to go on from."""
        self._clear()

    @property
    def _snapshot_path(self) -> Path:
        return self.folder / "snapshot.pt"

    @property
    def _fingerprint_path(self) -> Path:
        return self.folder / "fingerprint.json"

    def _read_fingerprint(self) -> dict[str, str] | None:
        try:
            kept = json.loads(self._fingerprint_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # a damaged one is that of no state
            return None
        return kept if isinstance(kept, dict) else None

    def _why_stale(self, kept: Mapping[str, str]) -> str:
        if self._fresh:
            return "--fresh was given"
        names = sorted({name for name, _ in kept.items() ^ self._fingerprint.items()})
        return f"{some_of(names)} changed since it was interrupted"

    def _clear(self) -> None:
        # The fingerprint goes first: what a kill leaves of the rest then belongs to nothing.
        self._fingerprint_path.unlink(missing_ok=True)
        if self.folder.exists():
            shutil.rmtree(self.folder)


class FollowersState(StageState):
    """Of a process that helps the one which keeps the state of a stage: nothing is read, locked or kept."""

    def __init__(self, root: Path, stage: str) -> None:
        super().__init__(root, stage, {}, fresh=False)
        self.resumed = True  # whether it is so or not, the other process tells

    def keep(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return make()


def some_of(names: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def save_seconds_from_environment() -> float:
    """The least time between two snapshots: GENREID_SAVE_SECONDS, 30 where it is not set."""
    text = os.environ.get(SAVE_SECONDS_VARIABLE, "")
    try:
        return float(text) if text else _DEFAULT_SAVE_SECONDS
    except ValueError:
        raise PipelineError(f"{SAVE_SECONDS_VARIABLE}={text}: expected a number of seconds") from None
