"""`genreid study run`, with slots that run nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from stages.studies import command, trials
from stages.studies.definition import Arm, Trial
from stages.studies.rows import RUNS, finished
from stages.studies.trials import Finished, Outcome, Slot
from tests.stages.small_project import ROOT, SmallProject


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
    monkeypatch.setattr("stages.shared.outputs.prepare_clone", lambda folder: None)
    monkeypatch.setattr(trials, "run_trials", ended)
    monkeypatch.setattr(command, "num_cores", lambda: 8)
    arm = Arm("views", "rotated views", {}, ())
    failed = command._run(
        tmp_path, [Trial("two", arm, 1, seed, "val", {}) for seed in (1, 2, 3)], jobs, commit=False
    )
    assert failed == ["two-views-w1-s2"]
    folder = tmp_path / ".genreid" / "studies"
    assert prepared == [Slot(tmp_path, folder / f"slot-{n}", threads) for n in range(num_slots)]
    assert finished(tmp_path) == {("two", "views", "1", seed, "val") for seed in ("1", "3")}


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), "-c", "user.name=Test", "-c", "user.email=test@localhost", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_each_row_is_committed_when_its_trial_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone: a file that its owner has begun stays as it is, staged or not."""
    for variable in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{variable}_NAME", "Test")
        monkeypatch.setenv(f"{variable}_EMAIL", "test@localhost")
    git(tmp_path, "init", "-q")
    (tmp_path / "notes.txt").write_text("begun")
    git(tmp_path, "add", "notes.txt")

    def ended(chosen: Sequence[Trial], slots: Sequence[Slot]) -> Iterator[tuple[Trial, Outcome]]:
        for number, trial in enumerate(chosen):
            if number:
                assert git(tmp_path, "log", "-1", "--format=%s") == f"Study row: {chosen[number - 1].name}\n"
                assert git(tmp_path, "status", "--porcelain") == "A  notes.txt\n"
            yield trial, Finished({"joint.mAP": 1.0}, {"spread": [{"yaw_deg": 45, "joint": 1.0}]})

    monkeypatch.setattr(Slot, "prepare", lambda slot: None)
    monkeypatch.setattr("stages.shared.outputs.prepare_clone", lambda folder: None)
    monkeypatch.setattr(trials, "run_trials", ended)
    arm = Arm("views", "rotated views", {}, ())
    chosen = [Trial("two", arm, 1, seed, "val", {}) for seed in (1, 2)]
    assert command._run(tmp_path, chosen, 1, commit=True) == []
    changed = git(tmp_path, "log", "--name-only", "--format=").split()
    assert changed == ["docs/study/curves/spread.csv", RUNS] * 2


def test_a_closed_study_is_not_run(small: SmallProject) -> None:
    shutil.copytree(ROOT / "recipes", small.folder / "recipes")
    outcome = small.run("study", "run", "2026-11/mixup", "--list")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert outcome.err.startswith(
        "error: study 2026-11/mixup is closed, its rows are those of 2026-11 in docs/study/runs_2026-11.csv: "
    )
