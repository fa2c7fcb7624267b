"""Worker processes that die, or cannot begin."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from genreid.body.body import load_body
from pipeline.errors import PipelineError
from stages.shared.workers import process_pool


def test_a_worker_that_is_killed_stops_the_run_in_one_line() -> None:
    with process_pool(1) as pool:
        assert pool.call(os.getpid) != os.getpid()
        for _ in range(2):  # the pool is broken from then on
            with pytest.raises(PipelineError, match=r"was killed.*goes on from what is kept") as told:
                pool.call(signal.raise_signal, signal.SIGKILL)
            assert "\n" not in str(told.value)


def test_what_a_worker_cannot_begin_with_is_told_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = pytest.raises(ValueError, match=r"no body file at '.*nosuch\.npz'")
    with process_pool(1, load_body, str(tmp_path / "nosuch.npz")) as pool, told:
        pool.call(os.getpid)
    assert "Traceback" not in capfd.readouterr().err
