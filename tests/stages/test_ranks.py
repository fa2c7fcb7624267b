"""`--ranks` and `torchrun`, with real processes: what is trained, and how they end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.stages.small_project import ROOT, smoke_params
from tests.stages.test_ending import (
    PROGRAM,
    SIGNALS,
    ends_as_told,
    start,
    wait_for,
    wait_for_end,
    workers_of,
)

pytestmark = pytest.mark.slow
TRAINING = ("pretrain-encoder", "--no-progress", "--device", "cpu")
TORCHRUN = (
    "import runpy, sys; sys.argv = ['torchrun', *sys.argv[1:]]; "
    "runpy.run_module('torch.distributed.run', run_name='__main__')"
)
AGAIN = "run the command again: it goes on from what is kept\n"


def genreid(folder: Path, *arguments: str) -> tuple[int, str]:
    started = start(folder, PROGRAM, *arguments)
    started.process.wait(timeout=500)
    return started.end()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with images, to be copied; it learns in float32, whose losses tell three digits."""
    folder = tmp_path_factory.mktemp("made") / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text(smoke_params().replace("precision: auto", "precision: float32"))
    (folder / "dvc.yaml").touch()
    assert genreid(folder, "prepare-data", "--no-progress", "--workers", "1") == (0, "")
    return folder


@pytest.fixture(scope="module")
def trained(made: Path) -> Path:
    """The same, with an encoder that one process has trained."""
    assert genreid(made, *TRAINING) == (0, "")
    return made


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    copy = shutil.copytree(made, tmp_path / "project")
    shutil.rmtree(copy / "models", ignore_errors=True)
    return copy


def losses(folder: Path) -> list[float]:
    """Of the first epoch; later ones cluster, and a rounding may make a group of two."""
    lines = (folder / "plots/pretrain-encoder/plots/metrics/loss/contrast.tsv").read_text().splitlines()
    return [float(line.split("\t")[1]) for line in lines[1:2]]


def provenance(folder: Path) -> dict[str, object]:
    return json.loads((folder / "provenance" / "pretrain-encoder.json").read_text())


def snapshot_of(folder: Path) -> Path:
    return folder / ".genreid" / "state" / "pretrain-encoder" / "snapshot.pt"


def in_training(folder: Path) -> Callable[[], bool]:
    """Whether a step is kept: the first snapshots, of features that are being made, know none."""
    snapshot = snapshot_of(folder)

    def there() -> bool:
        return snapshot.exists() and torch.load(snapshot, weights_only=True)["science"]["step"] >= 1

    return there


def other_ranks(pid: int) -> list[int]:
    """What a command has started but multiprocessing's own helper, and that helper."""
    return [child for child in workers_of(pid) if "spawn_main" in command_line(child)]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_two_ranks_learn_what_one_process_learns(trained: Path, project: Path) -> None:
    assert genreid(project, *TRAINING, "--ranks", "2") == (0, "")
    assert losses(project) == pytest.approx(losses(trained), rel=3e-3)
    assert provenance(project)["ranks"] == 2 and "ranks" not in provenance(trained)
    assert not snapshot_of(project).exists()


def test_under_torchrun(trained: Path, project: Path) -> None:
    arguments = ("--standalone", "--nproc-per-node", "2", "-m", "genreid", *TRAINING)
    code, told = start(project, TORCHRUN, *arguments).end()
    assert code == 0, told
    assert losses(project) == pytest.approx(losses(trained), rel=3e-3)
    assert provenance(project)["ranks"] == 2


def test_a_rank_of_torchrun_that_is_killed_ends_the_others_too(trained: Path, project: Path) -> None:
    arguments = ("--standalone", "--nproc-per-node", "2", "-m", "genreid", *TRAINING)
    started = start(project, TORCHRUN, *arguments)
    wait_for(in_training(project), started)
    ranks = [pid for pid in workers_of(started.pid) if "pretrain-encoder" in command_line(pid)]
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    code, _ = started.end()  # torchrun tells the rest in its own way
    assert code == 1
    wait_for_end(ranks)
    assert genreid(project, *TRAINING) == (0, "")
    assert provenance(project)["resumed"] is True
    assert losses(project) == pytest.approx(losses(trained), rel=3e-3)


def test_a_killed_rank_ends_all_in_one_line_and_one_process_goes_on(trained: Path, project: Path) -> None:
    started = start(project, PROGRAM, *TRAINING, "--ranks", "3")
    wait_for(in_training(project), started)
    ranks = other_ranks(started.pid)
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    code, told = started.end()
    killed = "of pretrain-encoder was killed (signal 9), by somebody or for want of memory"
    assert code == 1
    assert told in {f"error: rank {rank} {killed}: {AGAIN}" for rank in (1, 2)}
    wait_for_end(ranks)
    assert genreid(project, *TRAINING) == (0, "")
    assert provenance(project)["resumed"] is True
    assert losses(project) == pytest.approx(losses(trained), rel=3e-3)


def test_two_ranks_go_on_from_where_one_process_was(trained: Path, project: Path) -> None:
    started = start(project, PROGRAM, *TRAINING)
    wait_for(in_training(project), started)
    started.process.kill()
    started.process.wait()
    assert genreid(project, *TRAINING, "--ranks", "2") == (0, "")
    assert provenance(project)["resumed"] is True
    assert losses(project) == pytest.approx(losses(trained), rel=3e-3)


def test_the_others_end_with_the_first(project: Path) -> None:
    started = start(project, PROGRAM, *TRAINING, "--ranks", "2")
    wait_for(in_training(project), started)
    ranks = other_ranks(started.pid)
    assert len(ranks) == 1
    started.process.kill()
    started.process.wait()
    wait_for_end(ranks)


@SIGNALS
@pytest.mark.parametrize("group", [True, False], ids=["group", "parent"])
def test_a_signal_ends_all(project: Path, number: signal.Signals, group: bool) -> None:
    started = start(project, PROGRAM, *TRAINING, "--ranks", "2")
    wait_for(in_training(project), started)
    ranks = other_ranks(started.pid)
    assert len(ranks) == 1
    ends_as_told(started, number, group=group)
    wait_for_end(ranks)
    assert snapshot_of(project).exists()


def test_what_a_user_can_put_right_is_told_once(project: Path) -> None:
    """By all ranks, and by one alone: an image that is there no more, in the second one's part."""
    told = "3 ranks share a batch of 4 images: expected two for each; take fewer --ranks, or a larger batch"
    params = project / "params.yaml"
    text = params.read_text()
    params.write_text(smaller_batch(text))
    assert genreid(project, *TRAINING, "--ranks", "3") == (2, f"error: {told}\n")
    params.write_text(text)
    last = sorted((project / "data" / "images" / "train").rglob("*.png"))[-1]
    last.write_bytes(last.read_bytes()[:-100])
    code, told = genreid(project, *TRAINING, "--ranks", "2")
    assert code == 2 and told.count("\n") == 1 and "not a readable image" in told, told


def smaller_batch(text: str) -> str:
    changed = text.replace("  identities_per_batch: 4", "  identities_per_batch: 2")
    changed = changed.replace("  images_per_identity: 4", "  images_per_identity: 2")
    assert changed != text
    return changed


def test_another_number_than_torchruns_is_refused(project: Path) -> None:
    environment = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *TRAINING, "--ranks", "3"],
        cwd=project,
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    told = "error: --ranks is 3, and 2 were started around this command (WORLD_SIZE): leave --ranks out\n"
    assert done.stderr == told
