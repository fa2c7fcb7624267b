from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from pipeline.errors import PipelineError
from pipeline.resume import StageState, save_seconds_from_environment

FINGERPRINT = {"train_joint.lr": "0.1", "data/manifest.parquet": "9f3"}


def opened(root: Path, fingerprint: dict[str, str] | None = None, *, fresh: bool = False) -> StageState:
    return StageState(root, "train-joint", fingerprint or FINGERPRINT, fresh=fresh, save_seconds=0)


def test_nothing_is_restored_the_first_time(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assert state.restore() is None
        assert not state.resumed and state.notice == ""


def test_a_snapshot_comes_back_with_the_history_of_its_moment(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.history.append({"epoch": 1, "figures": {"loss": 0.5}, "pictures": {"x.png": b"\x89"}})
        state.offer(lambda: {"step": 10, "weight": torch.arange(3)})
        state.history.append({"epoch": 2, "figures": {"loss": 0.25}, "pictures": {}})
    with opened(tmp_path) as state:
        assert state.resumed and "goes on" in state.notice
        science = state.restore()
        assert (
            science is not None and science["step"] == 10 and torch.equal(science["weight"], torch.arange(3))
        )
        assert [row["epoch"] for row in state.history] == [1]


def test_snapshots_are_taken_no_more_often_than_asked(tmp_path: Path) -> None:
    def never() -> dict[str, object]:
        raise AssertionError("no snapshot is due")

    with StageState(tmp_path, "train-joint", FINGERPRINT, fresh=False, save_seconds=3600) as state:
        state.offer(never)


def test_a_stale_state_is_removed_and_said_why(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.offer(lambda: {"step": 10})
        state.chunk(3).write_text("done")
    with opened(tmp_path, FINGERPRINT | {"train_joint.lr": "0.2"}) as state:
        assert not state.resumed
        assert state.notice == "train-joint: starts afresh: train_joint.lr changed since it was interrupted"
        assert state.restore() is None and not state.chunk(3).exists()


def test_fresh_ignores_the_state(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.offer(lambda: {"step": 10})
    with opened(tmp_path, fresh=True) as state:
        assert state.restore() is None and "--fresh" in state.notice


def test_chunks_stay_until_success(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.chunk(3).write_text("done")
    with opened(tmp_path) as state:
        assert state.chunk(3).exists() and not state.chunk(4).exists()
        state.succeed()
        assert not state.folder.exists()
    with opened(tmp_path) as state:
        assert not state.resumed and not state.chunk(3).exists()


def test_what_is_kept_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, object]:
        made.append(1)
        return {"rows": torch.arange(3)}

    for _ in range(2):
        with opened(tmp_path) as state:
            assert torch.equal(state.keep("embedding", make)["rows"], torch.arange(3))
    assert len(made) == 1


def test_a_state_without_its_fingerprint_belongs_to_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.chunk(3).write_text("done")
        (state.folder / "fingerprint.json").unlink()
    with opened(tmp_path) as state:
        assert not state.resumed and not state.chunk(3).exists()


HOLDER = """
import os, sys
from pathlib import Path
from pipeline.resume import StageState
with StageState(Path(sys.argv[1]), "train-joint", {"a": "1"}, fresh=False, save_seconds=0) as state:
    if os.fork() == 0:  # a worker that outlives its killed stage does not hold the lock
        os.read(0, 1)
        os._exit(0)
    print("held", flush=True)
    os.read(0, 1)
"""


def test_a_second_start_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(
            PipelineError, match=f"^train-joint is already running \\(process {holder.pid}\\)"
        ) as error:
            opened(tmp_path).__enter__()
        assert "\n" not in str(error.value)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with opened(tmp_path, {"a": "1"}) as state:  # the worker waits for its input all the while
            assert state.resumed


SAVER = """
import os, sys, torch
from pathlib import Path
from pipeline.resume import StageState
with StageState(Path(sys.argv[1]), "train-joint", {"a": "1"}, fresh=False, save_seconds=0) as state:
    kept = state.restore()
    step = kept["step"] if kept else 0
    while True:
        step += 1
        state.history.append({"step": step})
        state.offer(lambda: {"step": step, "weights": torch.full((200_000,), float(step))})
        os.write(1, b"%d\\n" % step)
"""


def test_killed_at_any_moment_the_newest_whole_snapshot_is_there(tmp_path: Path) -> None:
    last = 0
    for attempt in range(3):
        with subprocess.Popen([sys.executable, "-c", SAVER, str(tmp_path)], stdout=subprocess.PIPE) as saver:
            assert saver.stdout is not None
            told = [int(saver.stdout.readline()) for _ in range(20)]
            time.sleep(0.0037 * attempt)  # somewhere within the steps that follow
            os.kill(saver.pid, signal.SIGKILL)
            saver.stdout.close()
        assert told == list(range(last + 1, last + 21))
        with opened(tmp_path, {"a": "1"}) as state:
            science = state.restore()
            assert science is not None and science["step"] >= told[-1]
            last = science["step"]
            assert torch.equal(science["weights"], torch.full((200_000,), float(last)))
            assert [row["step"] for row in state.history] == list(range(1, last + 1))


def test_the_interval_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENREID_SAVE_SECONDS", raising=False)
    assert save_seconds_from_environment() == 30
    monkeypatch.setenv("GENREID_SAVE_SECONDS", "0.5")
    assert save_seconds_from_environment() == 0.5
    monkeypatch.setenv("GENREID_SAVE_SECONDS", "often")
    with pytest.raises(PipelineError, match="GENREID_SAVE_SECONDS=often: expected a number of seconds"):
        save_seconds_from_environment()
