"""Copies of the project in which faults are made and tests run; the working tree stays as it is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.mutants.mutant import ROOT, Mutant, digest

_NO_TESTS = 5
_CALLED = "MUTANTS_CALLED"


class Stopped(Exception):
    """Somebody stopped the campaign."""


@dataclass(frozen=True)
class Outcome:
    """How pytest ended. code: its exit code, None when time ran out. failed: the first test that did."""

    code: int | None
    failed: str
    output: str

    @property
    def passed(self) -> bool:
        return self.code in (0, _NO_TESTS)


def project_files() -> list[Path]:
    """What git has or would have, relative to the project."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    return [Path(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file()]


class Copy:
    """One copy, in a folder of its own. digests: of each of the project's files, by its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = False
        files = project_files()
        kernels = [path.relative_to(ROOT) for path in ROOT.glob("genreid/**/*.nb[ic]")]
        for file in [*files, *kernels]:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
        self.digests = {str(file): digest(repr((folder / file).read_bytes())) for file in files}
        for arguments in (["init", "-q"], ["add", "."], [*_AUTHOR, "commit", "-qm", "A copy"]):
            subprocess.run(["git", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    def record(self, file: str, seconds: float) -> tuple[Outcome, set[tuple[str, int]]]:
        """Run the fast tests of a test file, and tell which functions they called."""
        recorder, called = self.folder / "sitecustomize.py", self.folder / ".git" / "called"
        shutil.copy(Path(__file__).with_name("recorder.py"), recorder)
        called.unlink(missing_ok=True)
        try:
            outcome = self.pytest([file], seconds, {_CALLED: str(called)})
        finally:
            recorder.unlink()
        rows = (line.split("\t") for line in called.read_text().splitlines())
        return outcome, {(name, int(line)) for name, line in rows}

    @contextmanager
    def fault(self, mutant: Mutant) -> Iterator[Mapping[str, str]]:
        """The copy with a fault in it, and the environment that its tests need."""
        path = self.folder / mutant.file
        source, status = path.read_text(), path.stat()
        scratch = tempfile.mkdtemp(prefix="kernels-")
        try:
            path.write_text(mutant.text)
            # Compiled kernels are kept by their own file's age, and have the kernels that they call in them.
            kernels = {"NUMBA_CACHE_DIR": scratch} if "njit" in mutant.text else {}
            # Nor is a file of bytecode told from the right one's by size and second.
            os.utime(path, (status.st_atime, status.st_mtime + 10))
            yield {"PYTHONDONTWRITEBYTECODE": "1"} | kernels
        finally:
            path.write_text(source)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            shutil.rmtree(scratch, ignore_errors=True)

    def pytest(self, files: list[str], seconds: float, environment: Mapping[str, str]) -> Outcome:
        """Run the fast tests of some files in their order, up to the first that fails."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                [*command, *files],
                cwd=self.folder,
                env={**os.environ, **own, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running = process
            code: int | None = None
            try:
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(seconds)
            finally:
                _end(process)
            if self._stopped:
                raise Stopped
            output.seek(0)
            text = output.read()
        told = [line.split()[1] for line in text.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return Outcome(code, told[0] if told else "", text)

    def stop(self) -> None:
        """End the tests that run; they tell nothing any more, and no others begin."""
        self._stopped = True
        if self._running is not None:
            _end(self._running)


_AUTHOR = ["-c", "user.name=mutants", "-c", "user.email=mutants@localhost"]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Also what the tests have started and left."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
