"""A copy of the project at smoke size, and real processes in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def _project_files() -> list[Path]:
    """What git has or would have, and compiled kernels, so that they are not compiled again."""
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    files = [ROOT / name for name in listed.splitlines() if not name.startswith("tests/")]
    return [file for file in files if file.is_file()] + sorted(ROOT.glob("genreid/**/*.nb[ic]"))


class SmokeProject:
    """The project as it is in the working tree, with the recipe `smoke` written into params.yaml."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for file in _project_files():
            copy = folder / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        self.command("git", "init", "-q").check_returncode()
        # In the repository's own configuration, because `dvc exp run` commits too.
        self.command("git", "config", "user.name", "test").check_returncode()
        self.command("git", "config", "user.email", "test@localhost").check_returncode()
        self.commit("A copy")
        self.command("genreid", "overrides", "smoke", "--write").check_returncode()

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {
            "PATH": path,
            "PYTHONPATH": str(self.folder),
            "GENREID_SAVE_SECONDS": "0",
            "GENREID_DEVICE": "cpu",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            arguments, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )

    def commit(self, message: str) -> None:
        """Commit every file that git does not ignore."""
        self.command("git", "add", ".").check_returncode()
        self.command("git", "commit", "-qm", message).check_returncode()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and leave it running; its output is thrown away."""
        return subprocess.Popen(
            arguments,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def state(self, stage: str) -> Path:
        return self.folder / ".genreid" / "state" / stage

    def running_pid(self, stage: str) -> int:
        """The process that holds a stage's lock."""
        return int(self.state(stage).with_name(f"{stage}.lock").read_text())

    def provenance(self, stage: str) -> dict[str, Any]:
        return json.loads((self.folder / "provenance" / f"{stage}.json").read_text())

    def finished(self) -> dict[str, int]:
        """When each stage was last done, by the clock of its provenance file."""
        return {path.stem: path.stat().st_mtime_ns for path in (self.folder / "provenance").glob("*.json")}

    def set(self, key: str, value: Any) -> None:
        """Change a param."""
        from pipeline.recipes import write_overrides

        write_overrides(self.folder / "params.yaml", {key: value})


def wait_until(done: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 300) -> None:
    """Wait for `done`, which must come before `process` ends."""
    deadline = time.monotonic() + seconds
    while not done():
        assert process.poll() is None, "the process ended before it could be killed"
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.002)
