"""Copies of the project in which faults are made and tests run; the working tree stays as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.mutants.forks import LIBRARIES, Forks, Outcome
from tools.mutants.mutant import ROOT, Mutant, digest

_CALLED = "MUTANTS_CALLED"
_COMPILING_S = 600.0


def project_files() -> list[Path]:
    """What git has or would have, relative to the project."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    return [Path(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file()]


class Copy:
    """One copy, in a folder of its own. digests: of each of the project's files, by its name."""

    def __init__(self, folder: Path, libraries: Iterable[str] = LIBRARIES) -> None:
        self.folder = folder
        self._forks = Forks(folder, libraries)
        self._compiled = False
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

    def compile(self) -> None:
        """Keep the bytecode of all the tests and of what they import, which runs with a fault only read."""
        if not self._compiled:
            self._forks.pytest(["--collect-only", "-q", "-p", "no:cacheprovider"], _COMPILING_S, {})
        self._compiled = True

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
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        return self._forks.pytest([*options, *files], seconds, environment)

    def stop(self) -> None:
        """End the tests that run; they tell nothing any more, and no others begin."""
        self._forks.stop()


_AUTHOR = ["-c", "user.name=mutants", "-c", "user.email=mutants@localhost"]
