"""Running the trials of a study, each as a DVC experiment in a clone of the project.

Clones, below .genreid/studies/, leave the user's own files alone and share the project's DVC cache: a stage
that one trial has done is not done again by another. The finished experiment's reference is fetched back, so
that `dvc exp show` lists it in the project. DVC's own queue is not used: it forgets how far an interrupted
stage had come and what the stage cost; and an experiment that a worker takes while it ends is never run, and
waited for without end (DVC 3.67, two workers).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from pipeline.artifacts import read_json_artifact
from pipeline.committing import NAME_AN_AUTHOR, knows_author
from pipeline.ending import run_program
from pipeline.errors import PipelineError
from pipeline.params import load_params
from pipeline.provenance import git_revision, processor
from pipeline.recipes import as_arguments
from stages.studies.definition import Trial
from stages.studies.rows import FOLDER

_COST = {
    "cpu_seconds": "cpu_seconds",
    "wall_seconds": "seconds",
    "peak_memory_mb": "peak_memory_mb",
    "pseudo_labels.ari": "ari",
    "pseudo_labels.clusters": "clusters",
}
"""Columns, and what the provenance of joint training calls them."""

_JOINT = "provenance/train-joint.json"

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GENREID_WORKERS")

_CURVES = ("hits_by_viewpoint", "spread", "mixtures", "identity_kept")
"""What plots/evaluate has of viewpoints: a list of points in a JSON file each."""


@dataclass(frozen=True)
class Finished:
    """columns: of the trial's row. curves: its points by the name of the curve, where evaluation drew it."""

    columns: Mapping[str, Any]
    curves: Mapping[str, Sequence[Mapping[str, Any]]]


Outcome = Finished | PipelineError | OSError
"""What a trial came to, or why it came to nothing."""


@dataclass(frozen=True)
class Slot:
    """A clone of `project` at `folder` in which one trial runs at a time, with `threads` threads."""

    project: Path
    folder: Path
    threads: int

    def prepare(self) -> None:
        """Make the clone, or bring it to the project's commit.

        Raises PipelineError when files of the project differ from the last commit, or there is none, and
        when git knows no author.
        """
        commit = require_committed(self.project)
        require_author(self.project)
        if not (self.folder / ".git").exists():
            _run("git", "clone", "--quiet", "--no-checkout", str(self.project), str(self.folder))
        # HEAD itself, which no branch need have.
        self._git("fetch", "--quiet", "origin", "HEAD")
        self._git("checkout", "--quiet", "--force", "--detach", commit)
        cache = _run(sys.executable, "-m", "dvc", "--cd", str(self.project), "cache", "dir").strip()
        _run(sys.executable, "-m", "dvc", "--cd", str(self.folder), "config", "--local", "cache.dir", cache)

    def run(self, trial: Trial) -> Finished:
        """Run the trial. Raises PipelineError when its experiment fails."""
        self._git("reset", "--quiet", "--hard")
        # The lock file names what another machine has made. Where code and params are the same, DVC looks for
        # that alone, and would run the stage again in each trial although its run cache has what it makes.
        (self.folder / "dvc.lock").unlink(missing_ok=True)
        # What joint training cost: told anew where it runs, and not where DVC has its outs already.
        (self.folder / _JOINT).unlink(missing_ok=True)
        command = ["dvc", "exp", "run", "--name", trial.name, *as_arguments(trial.overrides)]
        environment = {
            **os.environ,
            **dict.fromkeys(_THREADS, str(self.threads)),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(self.folder),
        }
        # Of an earlier start that was interrupted.
        for reference in self._references(trial):
            self._git("update-ref", "-d", reference)
        log = self.folder.parent / "logs" / f"{trial.name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("w", encoding="utf-8") as stream:
            code = run_program(
                [sys.executable, "-m", *command],
                cwd=self.folder,
                env=environment,
                stdout=stream,
                stderr=stream,
            )
        if code:
            raise PipelineError(f"{trial.name} failed: {_last_error(log) or f'exit code {code}'} (see {log})")
        for name in self._references(trial):
            _run("git", "-C", str(self.project), "fetch", "-q", str(self.folder), f"+{name}:{name}")
        return self._finished()

    def _references(self, trial: Trial) -> list[str]:
        listed = self._git("for-each-ref", "--format=%(refname)", "refs/exps").split()
        return [name for name in listed if name.endswith(f"/{trial.name}")]

    def _finished(self) -> Finished:
        """metrics.json with dotted names, what joint training cost, and the curves."""
        joint = _read(self.folder / _JOINT) or {}
        columns: dict[str, Any] = {
            "commit": code_commit(self.folder)[:10],
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{processor()}, {self.threads} thread{'s' * (self.threads > 1)}",
            "warm_up_fingerprint": _fingerprint(self.folder / "dvc.lock"),
            **{column: joint.get(name) for column, name in _COST.items()},
        }
        columns |= _flat(read_json_artifact(self.folder / "metrics.json", "run the study again"))
        curves = {name: _read(self.folder / "plots" / "evaluate" / f"{name}.json") for name in _CURVES}
        return Finished(columns, {name: points for name, points in curves.items() if points})

    def _git(self, *arguments: str) -> str:
        return _run("git", "-C", str(self.folder), *arguments)


def run_trials(trials: Sequence[Trial], slots: Sequence[Slot]) -> Iterator[tuple[Trial, Outcome]]:
    """Every trial and its outcome as they end, as many at a time as there are slots.

    Of several at a time, the first with stages that no other has done ends before those begin that
    share them.
    Raises what no trial should have raised.
    """
    free = SimpleQueue[Slot]()
    for slot in slots:
        free.put(slot)

    def run(trial: Trial) -> Outcome:
        slot = free.get()
        try:
            return slot.run(trial)
        except (PipelineError, OSError) as error:
            return error
        finally:
            free.put(slot)

    first = {trial.before_joint: trial for trial in reversed(trials)}.values() if len(slots) > 1 else trials
    pool = ThreadPoolExecutor(len(slots))
    try:
        for batch in ([t for t in trials if t in first], [t for t in trials if t not in first]):
            running = {pool.submit(run, trial): trial for trial in batch}
            for ended in as_completed(running):
                yield running[ended], ended.result()
    finally:
        pool.shutdown(cancel_futures=True)


def require_committed(root: Path) -> str:
    """The commit that is checked out. Raises PipelineError when there is none or files differ from it.

    What finished trials came to may differ: an interrupted study has left it there.
    """
    revision = git_revision(root, but=FOLDER)
    if revision == "none":
        raise PipelineError(f"{root}: a study names the commit that it ran at; make this a git repository")
    if revision.endswith("+changes"):
        raise PipelineError(
            "files differ from the last commit, and a study names the commit that it ran at: commit them, "
            "or put them aside by `git stash`"
        )
    return revision


def require_author(root: Path) -> None:
    """Raises PipelineError when git knows no name and address to commit by."""
    if not knows_author(root):
        raise PipelineError(
            f"git knows no author, and each trial becomes an experiment of DVC, a commit: {NAME_AN_AUTHOR}"
        )


def code_commit(root: Path) -> str:
    """The last commit that changed more than rows: one that keeps what trials came to changes no trial."""
    but_rows = (":/", f":(exclude){FOLDER}")
    return _run("git", "-C", str(root), "log", "-1", "--format=%H", "--", *but_rows).strip()


def commit_rows(root: Path, trial: Trial) -> None:
    """Commit the trial's row and points, and nothing else: no finished trial is lost with a machine."""
    if not _run("git", "-C", str(root), "status", "--porcelain", "--", FOLDER):
        return  # a trial that was done again came to the same
    _run("git", "-C", str(root), "add", "--", FOLDER)
    _run("git", "-C", str(root), "commit", "--quiet", "-m", f"Study row: {trial.name}", "--", FOLDER)


def _fingerprint(lock: Path) -> str:
    """The hash by which DVC knows the warm-up's encoder."""
    outs = load_params(lock).value("stages.pretrain-encoder.outs")
    return next((str(out["md5"])[:12] for out in outs if out["path"].endswith("encoder.pt")), "")


def _last_error(log: Path) -> str:
    """What the stage said last, or else DVC; empty where neither said a word."""
    lines = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").splitlines()
    for mark in ("error: ", "ERROR: "):
        if said := [line for line in lines if line.startswith(mark)]:
            return said[-1].removeprefix(mark)
    return ""


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        found |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _run(*command: str) -> str:
    """Output of a command. Raises PipelineError with the last line of what it said when it fails."""
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        said = (ended.stderr.strip() or ended.stdout.strip() or "no word").splitlines()[-1]
        raise PipelineError(f"`{' '.join(command[:4])} …` failed: {said}")
    return ended.stdout
