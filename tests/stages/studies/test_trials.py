"""Trials in a small project of their own, whose stages are a line of Python each."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from stages.studies.definition import Trial, load_study
from stages.studies.rows import RUNS
from stages.studies.trials import Finished, Slot, code_commit, commit_rows, require_committed, run_trials

PARAMS = """\
pretrain_encoder: {seed: 0}
pretrain_generator: {seed: 0}
train_joint: {seed: 0, gain: 0, fail: false}
evaluate: {split: val}
"""
GRAPH = """\
stages:
  fingerprint-code:
    cmd: python make.py code
    always_changed: true
    outs: [code: {cache: false, persist: true}]
  pretrain-encoder:
    cmd: python make.py encoder
    deps: [code/encoder.txt]
    params: [pretrain_encoder]
    outs: [encoder.pt]
  train-joint:
    cmd: python make.py joint
    deps: [encoder.pt]
    params: [train_joint]
    outs: [joint.pt]
  evaluate:
    cmd: python make.py metrics
    deps: [joint.pt]
    params: [evaluate]
    metrics: [metrics.json: {cache: false}]
    outs: [plots/evaluate]
"""
ROOT = Path(__file__).parents[3]
MAKE = (
    f"import sys; sys.path.append({str(ROOT)!r})"
    + """
import json, os, pathlib, yaml
from pipeline.artifacts import write_json_artifact
what, values = sys.argv[1], yaml.safe_load(open("params.yaml"))
with open(os.environ["DONE"], "a") as done:
    print(what, os.environ["OMP_NUM_THREADS"], file=done)
if what == "code":
    pathlib.Path("code").mkdir(exist_ok=True)
    pathlib.Path("code/encoder.txt").write_text("genreid.errors 01")
elif what == "encoder":
    pathlib.Path("encoder.pt").write_text(str(values["pretrain_encoder"]["seed"]))
elif what == "joint":
    own = values["train_joint"]
    assert not own["fail"], "failed as it should"
    pathlib.Path("joint.pt").write_text(str(10 * int(open("encoder.pt").read()) + own["gain"] + own["seed"]))
    pathlib.Path("provenance").mkdir(exist_ok=True)
    record = {"cpu_seconds": 7.5, "seconds": 9.0, "peak_memory_mb": 100, "ari": 0.5, "clusters": 9}
    json.dump(record, open("provenance/train-joint.json", "w"))
else:
    score = float(open("joint.pt").read())
    write_json_artifact(pathlib.Path("metrics.json"), {"joint": {"mAP": score}})
    pathlib.Path("plots/evaluate").mkdir(parents=True, exist_ok=True)
    json.dump([{"yaw_deg": 45, "joint": score}], open("plots/evaluate/spread.json", "w"))
"""
)
HOLD = """\
def hold(path):
    if not os.path.exists(path):
        pathlib.Path(path).write_text(str(os.getpid()))
        import time
        time.sleep(300)


"""
STUDY = """\
title: Small
reference: plain
common: {}
trials: {1: [1], 2: [1]}
arms:
  plain: {about: nothing, params: {train_joint.gain: 0}}
  gain: {about: more, params: {train_joint.gain: 5}}
  broken: {about: fails, params: {train_joint.fail: true}, trials: {1: [1]}}
"""


def git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    command = ["git", "-C", str(folder), *names, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    (root / "recipes" / "studies").mkdir(parents=True)
    files = {"params.yaml": PARAMS, "dvc.yaml": GRAPH, "make.py": MAKE, "recipes/studies/small.yaml": STUDY}
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    ignored = "/.genreid/\n/provenance/\n/code/\n/encoder.pt\n/joint.pt\n/plots/\n"
    (root / ".gitignore").write_text(ignored, encoding="utf-8")
    for variable in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{variable}_NAME", "Test")
        monkeypatch.setenv(f"{variable}_EMAIL", "test@example.org")
    monkeypatch.setenv("DONE", str(tmp_path / "done.txt"))
    git(root, "init", "--quiet", "--initial-branch", "main")
    subprocess.run([sys.executable, "-m", "dvc", "--cd", str(root), "init", "--quiet"], check=True)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "all")
    return root


def slots(project: Path, num: int = 1) -> list[Slot]:
    made = [Slot(project, project / ".genreid" / "studies" / f"slot-{number}", 1) for number in range(num)]
    for slot in made:
        slot.prepare()
    return made


def trials(project: Path, *arms: str) -> list[Trial]:
    return load_study(project, "small").trials("val", arms)


@pytest.mark.slow
def test_trials_share_their_warm_ups_and_come_back_as_experiments(project: Path, tmp_path: Path) -> None:
    """By hand: joint = 10 · warm-up + gain + seed. Five trials, two encoders."""
    before = git(project, "status", "--porcelain")
    ended = {trial.name: outcome for trial, outcome in run_trials(trials(project), slots(project, 2))}

    failed = ended.pop("small-broken-w1-s1")
    assert isinstance(failed, PipelineError)
    log = project / ".genreid" / "studies" / "logs" / "small-broken-w1-s1.log"
    said = "failed to reproduce 'train-joint': failed to run: python make.py joint, exited with 1"
    assert str(failed) == f"small-broken-w1-s1 failed: {said} (see {log})"
    assert "failed as it should" in log.read_text(encoding="utf-8")

    expected = {"plain-w1": 11.0, "gain-w1": 16.0, "plain-w2": 21.0, "gain-w2": 26.0}
    finished = {name: outcome for name, outcome in ended.items() if isinstance(outcome, Finished)}
    found = {name: outcome.columns for name, outcome in finished.items()}
    assert {name: found[name]["joint.mAP"] for name in found} == {
        f"small-{name}-s1": value for name, value in expected.items()
    }
    assert finished["small-gain-w2-s1"].curves == {"spread": [{"yaw_deg": 45, "joint": 26.0}]}
    row = found["small-gain-w2-s1"]
    assert (row["wall_seconds"], row["pseudo_labels.ari"], row["pseudo_labels.clusters"]) == (9.0, 0.5, 9)
    assert row["cpu_seconds"] == 7.5
    assert require_committed(project).startswith(row["commit"])
    fingerprints = {name: columns["warm_up_fingerprint"] for name, columns in found.items()}
    assert fingerprints["small-plain-w1-s1"] == fingerprints["small-gain-w1-s1"]
    assert fingerprints["small-plain-w1-s1"] != fingerprints["small-gain-w2-s1"]

    done = (tmp_path / "done.txt").read_text(encoding="utf-8").split("\n")
    assert done.count("encoder 1") == 2
    assert done.count("joint 1") == 5
    assert git(project, "status", "--porcelain") == before
    refs = git(project, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    assert {os.path.basename(ref) for ref in refs} == set(found)


@pytest.mark.slow
def test_a_trial_done_before_is_taken_from_the_cache(project: Path, tmp_path: Path) -> None:
    """As when a study was killed between the end of a trial and its row."""
    chosen = trials(project, "plain")[:1]
    (slot,) = slots(project)
    first, second = (slot.run(chosen[0]) for _ in range(2))
    assert first.columns["joint.mAP"] == second.columns["joint.mAP"] == 11.0
    assert first.columns["cpu_seconds"] == 7.5
    assert second.columns["cpu_seconds"] is None, "nobody measured it this time"
    assert (tmp_path / "done.txt").read_text(encoding="utf-8").count("joint") == 1


@pytest.mark.slow
def test_what_another_machine_has_made_is_made_here_once(project: Path, tmp_path: Path) -> None:
    """The committed lock names an encoder of the same code and params, which this cache does not have."""
    (project / "params.yaml").write_text(PARAMS.replace("seed: 0", "seed: 1", 1), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "dvc", "--cd", str(project), "repro", "--quiet", "pretrain-encoder"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
    )
    lock = project / "dvc.lock"
    elsewhere = re.sub(r"md5: \w{32}", "md5: " + 32 * "f", lock.read_text(encoding="utf-8"))
    lock.write_text(elsewhere, encoding="utf-8")
    shutil.rmtree(project / ".dvc" / "cache")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "made elsewhere")
    (tmp_path / "done.txt").unlink()

    chosen = [trial for trial in trials(project, "plain", "gain") if trial.name.endswith("w1-s1")]
    (slot,) = slots(project)
    found = [slot.run(trial).columns["joint.mAP"] for trial in chosen]
    assert found == [11.0, 16.0]
    assert (tmp_path / "done.txt").read_text(encoding="utf-8").count("encoder") == 1


def test_the_clone_comes_to_a_commit_that_no_branch_has(project: Path) -> None:
    slots(project)
    git(project, "checkout", "--quiet", "--detach")
    git(project, "commit", "--quiet", "--allow-empty", "--message", "later")
    assert git(slots(project)[0].folder, "rev-parse", "HEAD") == git(project, "rev-parse", "HEAD")


def test_rows_of_an_interrupted_study_need_no_commit(project: Path) -> None:
    rows = project / RUNS
    rows.parent.mkdir(parents=True, exist_ok=True)
    rows.write_text("", encoding="utf-8")
    git(project, "add", "--force", RUNS)
    git(project, "commit", "--quiet", "--message", "rows")
    rows.write_text("study\n", encoding="utf-8")
    assert require_committed(project) == git(project, "rev-parse", "HEAD").strip()


def test_a_row_names_the_commit_of_its_code_and_not_that_of_rows_before_it(project: Path) -> None:
    code = git(project, "rev-parse", "HEAD").strip()
    (project / RUNS).parent.mkdir(parents=True, exist_ok=True)
    (project / RUNS).write_text("study\n", encoding="utf-8")
    for _ in range(2):  # there is nothing to commit the second time
        commit_rows(project, trials(project, "plain")[0])
    assert git(project, "rev-parse", "HEAD").strip() != code == code_commit(project)
    git(project, "commit", "--quiet", "--allow-empty", "--message", "nothing")
    assert code_commit(project) == code
    (project / "make.py").write_text(MAKE + "\n", encoding="utf-8")
    git(project, "commit", "--quiet", "--all", "--message", "code")
    assert code_commit(project) == git(project, "rev-parse", "HEAD").strip()


def test_a_study_needs_a_commit(project: Path, tmp_path: Path) -> None:
    (project / "params.yaml").write_text(PARAMS + "\n", encoding="utf-8")
    with pytest.raises(PipelineError, match="files differ from the last commit"):
        require_committed(project)
    with pytest.raises(PipelineError, match="make this a git repository"):
        require_committed(tmp_path)


def test_a_study_needs_an_author(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.delenv(f"{variable}_NAME")
        monkeypatch.delenv(f"{variable}_EMAIL")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(PipelineError, match=r"git knows no author.*git config --global user\.email"):
        slots(project)
    git(project, "config", "user.name", "Test")
    with pytest.raises(PipelineError, match="git knows no author"):
        slots(project)
    git(project, "config", "user.email", "test@example.org")
    slots(project)


class _Recorded(Slot):
    """A slot that writes down what it is asked for."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def run(self, trial: Trial) -> Finished:
        self.asked.append(("begin", trial.name))
        if trial.arm.name == "broken":
            raise PipelineError("no luck")
        self.asked.append(("end", trial.name))
        return Finished({"joint.mAP": 1.0}, {})


class _Broken(Slot):
    """The first trial meets a bug; one that has begun by then ends when the study does."""

    asked: list[str] = []  # noqa: RUF012
    ending = threading.Event()

    def run(self, trial: Trial) -> Finished:
        self.asked.append(trial.name)
        if len(self.asked) > 1:
            self.ending.wait(30)
        raise KeyError("a bug")


@pytest.mark.timeout(60)
def test_what_nobody_expected_ends_the_study_and_no_further_trial_begins(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut_down = ThreadPoolExecutor.shutdown

    def told(pool: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
        shut_down(pool, wait=False, cancel_futures=cancel_futures)
        _Broken.ending.set()
        shut_down(pool, wait)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", told)
    with pytest.raises(KeyError, match="a bug"):
        list(run_trials(trials(project), [_Broken(project, tmp_path / "a", 1)]))
    assert len(trials(project)) == 5 and len(_Broken.asked) <= 2


def test_all_trials_end_and_shared_stages_are_done_by_one_of_them(project: Path, tmp_path: Path) -> None:
    _Recorded.asked.clear()
    outcomes = run_trials(trials(project), [_Recorded(project, tmp_path / name, 1) for name in "ab"])
    ended = {trial.name: outcome for trial, outcome in outcomes}
    assert set(ended) == {trial.name for trial in trials(project)}
    failed = {name for name, outcome in ended.items() if isinstance(outcome, Exception)}
    assert failed == {"small-broken-w1-s1"}
    for warm_up in (1, 2):
        own = [(what, name) for what, name in _Recorded.asked if f"-w{warm_up}-" in name]
        assert own[1] == ("end", own[0][1])


STUDY_RUN = """
import sys
from pathlib import Path
from pipeline.ending import end_when_told
end_when_told()
from stages.studies.definition import load_study
from stages.studies.trials import Slot, run_trials
root = Path(sys.argv[1])
slot = Slot(root, root / ".genreid" / "studies" / "slot-0", 1)
slot.prepare()
for trial, outcome in run_trials(load_study(root, "small").trials("val", ["plain"])[:1], [slot]):
    print(outcome.columns["joint.mAP"])
"""


@pytest.mark.slow
def test_a_study_that_is_told_to_end_leaves_no_trial_running(project: Path, tmp_path: Path) -> None:
    """The signal is for the study alone, as from `kill`. Run again, it does the trial."""
    held = tmp_path / "held"
    (project / "make.py").write_text(
        MAKE.replace('elif what == "joint":\n', f'elif what == "joint":\n    hold({str(held)!r})\n').replace(
            "what, values", HOLD + "what, values", 1
        )
    )
    git(project, "commit", "--quiet", "--all", "--message", "held")
    command = [sys.executable, "-c", STUDY_RUN, str(project)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not held.exists() or not held.read_text():
        assert process.poll() is None
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143 and said.count("\n") == 1
    stage = Path(f"/proc/{held.read_text()}")
    for _ in range(100):
        if not stage.exists():
            break
        time.sleep(0.1)
    assert not stage.exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "11.0\n"), done.stderr
