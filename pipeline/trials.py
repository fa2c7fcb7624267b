"""Running the trials of a study, each as a DVC experiment in a clone of the project.

A slot is a clone below .genreid/studies/: the user's own files are left alone, and several slots work at the
same time. All slots share the project's DVC cache, so that a stage that one trial has done is not done again
by another: warm-ups are trained once for all arms. The finished experiment's reference is fetched back, so
that `dvc exp show` lists it in the project.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from typing import Any

from pipeline.errors import PipelineError
from pipeline.provenance import git_revision, processor
from pipeline.recipes import as_arguments
from pipeline.study import Trial
from pipeline.study_rows import FOLDER, Points

_COST = {"cpu_seconds": "cpu_seconds", "seconds": "wall_seconds", "peak_memory_mb": "peak_memory_mb"}
"""What the provenance of joint training says of its cost, and the column that it goes to."""

_AGREEMENT = {"ari": "pseudo_labels.ari", "clusters": "pseudo_labels.clusters"}

_JOINT = "provenance/train-joint.json"

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GENREID_WORKERS")

_EVALUATED = "plots/evaluate"
_CURVES = ("hits_by_viewpoint", "spread", "mixtures", "identity_kept")
"""What evaluation draws of viewpoints: a list of points in a JSON file each."""


@dataclass(frozen=True)
class Finished:
    """columns: of the trial's row. curves: its points by the name of the curve, where evaluation drew it."""

    columns: Mapping[str, Any]
    curves: Mapping[str, Points]


Outcome = Finished | Exception
"""What a trial came to, or why it came to nothing."""


@dataclass(frozen=True)
class Slot:
    """A clone of the project at `folder` in which one trial runs at a time."""

    project: Path
    folder: Path
    threads: int

    def prepare(self, cache: Path, commit: str) -> None:
        """Make the clone, or bring it to the project's `commit`; `cache` is the project's DVC cache."""
        if not (self.folder / ".git").exists():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            _run("git", "clone", "--quiet", "--no-checkout", str(self.project), str(self.folder))
        # HEAD itself, which no branch need have.
        self._git("fetch", "--quiet", "origin", "HEAD")
        self._git("checkout", "--quiet", "--force", "--detach", commit)
        self._dvc("config", "--local", "cache.dir", str(cache))

    def run(self, trial: Trial, log: Path) -> Finished:
        """Run the trial. Raises PipelineError when its experiment fails."""
        self._git("reset", "--quiet", "--hard")
        # The lock file names what another machine has made. Where code and params are the same, DVC looks for
        # that alone, and would run the stage again in each trial although its run cache has what it makes.
        (self.folder / "dvc.lock").unlink(missing_ok=True)
        # What joint training cost: told anew where it runs, and not where DVC has its outs already.
        (self.folder / _JOINT).unlink(missing_ok=True)
        command = ["dvc", "exp", "run", "--name", trial.name, *as_arguments(trial.overrides)]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as stream:
            stream.write(" ".join(command) + "\n")
            stream.flush()
            self._forget(trial)
            ended = subprocess.run(
                [sys.executable, "-m", *command],
                cwd=self.folder,
                env=self._environment(),
                stdout=stream,
                stderr=stream,
            )
        if ended.returncode:
            raise PipelineError(f"{trial.name} failed (exit code {ended.returncode}): see {log}")
        self._fetch_back(trial)
        return Finished(self._columns(), self._curves())

    def _environment(self) -> dict[str, str]:
        """Commands of this environment, on the slot's code, with the slot's share of the cores."""
        return {
            **os.environ,
            **dict.fromkeys(_THREADS, str(self.threads)),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(self.folder),
        }

    def _forget(self, trial: Trial) -> None:
        """Remove an experiment of this name that an earlier, interrupted start has left."""
        subprocess.run(
            [sys.executable, "-m", "dvc", "exp", "remove", trial.name],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            check=False,
        )

    def _fetch_back(self, trial: Trial) -> None:
        listed = _run("git", "-C", str(self.folder), "for-each-ref", "--format=%(refname)", "refs/exps")
        for name in listed.split():
            if name.endswith(f"/{trial.name}"):
                _run("git", "-C", str(self.project), "fetch", "--quiet", str(self.folder), f"+{name}:{name}")

    def _columns(self) -> dict[str, Any]:
        """What the trial came to: metrics.json with dotted names, and what joint training cost."""
        told = self.folder / _JOINT
        joint = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
        columns: dict[str, Any] = {
            "commit": git_revision(self.folder)[:10],
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{processor()}, {self.threads} thread{'s' * (self.threads > 1)}",
            "warm_up_fingerprint": _fingerprint(self.folder / "dvc.lock"),
        }
        columns |= {name: joint.get(key) for key, name in (_COST | _AGREEMENT).items()}
        metrics = json.loads((self.folder / "metrics.json").read_text(encoding="utf-8"))
        return columns | dict(_flat(metrics))

    def _curves(self) -> dict[str, Points]:
        paths = {name: self.folder / _EVALUATED / f"{name}.json" for name in _CURVES}
        return {
            name: json.loads(path.read_text(encoding="utf-8"))
            for name, path in paths.items()
            if path.exists()
        }

    def _git(self, *arguments: str) -> str:
        return _run("git", "-C", str(self.folder), *arguments)

    def _dvc(self, *arguments: str) -> str:
        return _run(sys.executable, "-m", "dvc", "--cd", str(self.folder), *arguments)


def run_trials(trials: Sequence[Trial], slots: Sequence[Slot], logs: Path) -> Iterator[tuple[Trial, Outcome]]:
    """Every trial and its outcome as they finish, as many at a time as there are slots.

    The first trial with stages that no other has done yet runs them before others start that share them.
    Raises what no trial should have raised.
    """
    waiting, opened, opening = list(trials), set[object](), set[object]()
    changed = threading.Condition()
    outcomes: Queue[tuple[Trial, Outcome]] = Queue()

    def take() -> Trial | None:
        """The next trial whose shared stages are done, or are nobody's yet; None when none is left."""
        with changed:
            while waiting:
                for trial in waiting:
                    if trial.before_joint in opened or not opening:
                        waiting.remove(trial)
                        if trial.before_joint not in opened:
                            opening.add(trial.before_joint)
                        return trial
                changed.wait()
            return None

    def work(slot: Slot) -> None:
        while (trial := take()) is not None:
            try:
                outcome: Outcome = slot.run(trial, logs / f"{trial.name}.log")
            except Exception as error:
                # Whatever it is: who waits for the outcome has to hear of it, or waits for ever.
                outcome = error
            with changed:
                opened.add(trial.before_joint)
                opening.discard(trial.before_joint)
                changed.notify_all()
            outcomes.put((trial, outcome))

    for slot in slots:
        threading.Thread(target=work, args=(slot,), daemon=True).start()
    for _ in range(len(trials)):
        trial, outcome = outcomes.get()
        if isinstance(outcome, Exception) and not isinstance(outcome, PipelineError | OSError):
            raise outcome
        yield trial, outcome


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


def cache_folder(root: Path) -> Path:
    """The project's DVC cache."""
    return Path(_run(sys.executable, "-m", "dvc", "--cd", str(root), "cache", "dir").strip())


def _fingerprint(lock: Path) -> str:
    """The hash by which DVC knows the warm-up's encoder, from dvc.lock."""
    from pipeline.params import load_params

    outs = load_params(lock).value("stages.pretrain-encoder.outs")
    return next((str(out["md5"])[:12] for out in outs if out["path"].endswith("encoder.pt")), "")


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def _run(*command: str) -> str:
    """Output of a command. Raises PipelineError with the last line of what it said when it fails."""
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        said = (ended.stderr.strip() or ended.stdout.strip() or "no word").splitlines()[-1]
        raise PipelineError(f"`{' '.join(command[:4])} …` failed: {said}")
    return ended.stdout
