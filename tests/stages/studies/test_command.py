"""`genreid study run`, with slots that run nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from stages.studies import command, trials
from stages.studies.definition import Arm, Trial
from stages.studies.rows import finished
from stages.studies.trials import Finished, Outcome, Slot


@pytest.mark.parametrize(("jobs", "num_slots", "threads"), [(1, 1, 8), (2, 2, 4), (5, 3, 1)])
def test_trials_share_the_cores_and_leave_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, num_slots: int, threads: int
) -> None:
    """Three trials on eight cores; the second one fails, and has no row."""
    prepared: list[Slot] = []

    def ended(chosen: Sequence[Trial], slots: Sequence[Slot]) -> Iterator[tuple[Trial, Outcome]]:
        assert list(slots) == prepared
        for trial in chosen:
            fails = PipelineError("no luck")
            yield trial, fails if trial.seed == 2 else Finished({"joint.mAP": 10.0 * trial.seed}, {})

    monkeypatch.setattr(Slot, "prepare", lambda slot: prepared.append(slot))
    monkeypatch.setattr(trials, "run_trials", ended)
    monkeypatch.setattr(command, "num_cores", lambda: 8)
    arm = Arm("views", "rotated views", {}, ())
    failed = command._run(tmp_path, [Trial("two", arm, 1, seed, "val", {}) for seed in (1, 2, 3)], jobs)
    assert failed == ["two-views-w1-s2"]
    folder = tmp_path / ".genreid" / "studies"
    assert prepared == [Slot(tmp_path, folder / f"slot-{n}", threads) for n in range(num_slots)]
    assert finished(tmp_path) == {("two", "views", "1", seed, "val") for seed in ("1", "3")}
