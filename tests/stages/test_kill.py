"""kill -9 in the middle, and start again: the result is an undisturbed run's."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.stages.smoke_project import SmokeProject, wait_until

pytestmark = pytest.mark.slow


def shard_bytes(smoke: SmokeProject) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((smoke.folder / "data" / "mesh").iterdir())}


def weights(smoke: SmokeProject) -> dict[str, torch.Tensor]:
    """Every tensor of the joint checkpoint by its dotted name."""

    def flat(value: Any, name: str) -> dict[str, torch.Tensor]:
        if isinstance(value, torch.Tensor):
            return {name: value}
        if isinstance(value, dict):
            return {k: t for key, part in value.items() for k, t in flat(part, f"{name}.{key}").items()}
        return {}

    return flat(torch.load(smoke.folder / "models" / "joint.pt", weights_only=True), "")


def curves(smoke: SmokeProject) -> dict[str, str]:
    """All curves but the speed."""
    folder = smoke.folder / "plots" / "train-joint" / "plots" / "metrics"
    return {path.stem: path.read_text() for path in folder.rglob("*.tsv") if path.stem != "images_per_second"}


def same_weights(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_mesh_extract_killed_alone(smoke: SmokeProject) -> None:
    undisturbed = shard_bytes(smoke)
    first = smoke.state("mesh-extract") / "chunks" / "000000.parquet"
    process = smoke.start("genreid", "mesh-extract")
    wait_until(first.exists, process)
    process.kill()
    process.wait()
    kept = first.stat().st_mtime_ns

    assert shard_bytes(smoke) == undisturbed  # nothing half written among the outs
    for shard in (smoke.folder / "data" / "mesh").iterdir():
        shard.unlink()
    process = smoke.start("genreid", "mesh-extract")
    wait_until(smoke.state("mesh-extract").exists, process)
    assert first.stat().st_mtime_ns == kept  # the finished piece is not made again
    assert process.wait() == 0
    assert shard_bytes(smoke) == undisturbed
    assert smoke.provenance("mesh-extract")["resumed"] is True


def start_and_wait_for_snapshot(smoke: SmokeProject, *command: str) -> tuple[Any, Path]:
    snapshot = smoke.state("train-joint") / "snapshot.pt"
    process = smoke.start(*command)
    # The first ones, of features that are being made, know no step.
    wait_until(lambda: snapshot.exists() and step_of(snapshot) >= 1, process)
    return process, snapshot


def step_of(snapshot: Path) -> int:
    return int(torch.load(snapshot, weights_only=True)["science"]["step"])


def test_train_joint_killed_alone(smoke: SmokeProject) -> None:
    undisturbed, undisturbed_curves = weights(smoke), curves(smoke)
    process, snapshot = start_and_wait_for_snapshot(smoke, "genreid", "train-joint")
    process.kill()
    process.wait()
    assert step_of(snapshot) >= 1
    (smoke.folder / "models" / "joint.pt").unlink()

    done = smoke.command("genreid", "train-joint")
    assert done.returncode == 0, done.stderr
    assert "train-joint: goes on from its kept state" in done.stderr
    assert same_weights(weights(smoke), undisturbed)
    assert curves(smoke) == undisturbed_curves
    assert not snapshot.exists()


def test_dvc_killed_alone_leaves_a_stage_that_nobody_can_start_twice(smoke: SmokeProject) -> None:
    undisturbed = weights(smoke)
    # Forced, or DVC would take what earlier tests have made from its run cache.
    repro = ("dvc", "repro", "--force", "--single-item", "train-joint")
    dvc, _ = start_and_wait_for_snapshot(smoke, *repro)
    stage = smoke.running_pid("train-joint")
    assert stage != dvc.pid
    os.kill(stage, signal.SIGSTOP)  # so that it is still at work when the others come
    try:
        dvc.kill()
        dvc.wait()
        os.kill(stage, 0)  # it is there

        refusal = f"train-joint is already running (process {stage}): wait for its end"
        second = smoke.command("genreid", "train-joint")
        assert second.returncode == 2 and second.stdout == ""
        assert second.stderr == f"error: {refusal}, or end it with `kill {stage}`\n"

        second = smoke.command(*repro)
        assert second.returncode != 0
        assert refusal in second.stdout + second.stderr
    finally:
        os.kill(stage, signal.SIGKILL)

    done = smoke.command(*repro)
    assert done.returncode == 0, done.stdout + done.stderr
    assert smoke.provenance("train-joint")["resumed"] is True
    assert same_weights(weights(smoke), undisturbed)
    smoke.command("dvc", "repro").check_returncode()  # the stages after it, for the tests after this one
