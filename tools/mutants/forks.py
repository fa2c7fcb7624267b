"""Runs of pytest in a folder, each a fork of a process that has imported the libraries (server.py)."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# What tests wait for longest. Not those that start threads when they are imported: a fork has only one.
LIBRARIES = (
    *("torch", "torch._dynamo", "torchvision", "timm", "numba", "faiss", "cv2", "PIL.Image", "smplx"),
    *("pandas", "pyarrow.parquet", "scipy.spatial.transform", "scipy.optimize", "sklearn.cluster"),
    *("sklearn.metrics", "matplotlib.figure", "matplotlib.backends.backend_agg", "dvc.api", "typer"),
    *("rich.progress", "ruamel.yaml", "psutil", "hypothesis", "hydra", "pytest"),
)
_NO_TESTS = 5


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


class Forks:
    """Runs of pytest in `folder`, one at a time. The process that forks is started by the first."""

    def __init__(self, folder: Path, libraries: Iterable[str] = LIBRARIES) -> None:
        self._folder, self._libraries = folder, libraries
        self._server: subprocess.Popen[bytes] | None = None
        self._running: int | None = None  # the process that pytest runs in
        self._stopped = False
        self._starting = threading.Lock()  # a run that `stop` has to know of
        self._using = threading.Lock()  # the server

    def pytest(self, arguments: list[str], seconds: float, environment: Mapping[str, str]) -> Outcome:
        """Run pytest and tell how it ended. What it and its children leave behind, running or in the folder
        of temporary files, goes. Raises Stopped after `stop`."""
        with tempfile.TemporaryDirectory(prefix="tests-", ignore_cleanup_errors=True) as scratch:
            output = Path(scratch) / "output"
            own = {"PYTHONPATH": str(self._folder), "TMPDIR": scratch}
            asked = {"arguments": arguments, "environment": {**own, **environment}, "output": str(output)}
            with self._using:
                code = self._code(json.dumps(asked), seconds)
            text = output.read_text(errors="replace")
        told = [line.split()[1] for line in text.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return Outcome(code, told[0] if told else "", text)

    def stop(self) -> None:
        """End the tests that run; they tell nothing any more, and no others begin."""
        with self._starting:
            self._stopped = True
            self._end_tests()
            server, self._server = self._server, None
        if server is not None:
            server.kill()
            with self._using:
                server.communicate()

    def _code(self, request: str, seconds: float) -> int | None:
        """The exit code of a run; None when it took longer than this."""
        with self._starting:
            if self._stopped:
                raise Stopped
            if self._server is None:
                self._server = self._started()
            server = self._server
            assert server.stdin is not None and server.stdout is not None
            with suppress(BrokenPipeError):  # it has ended, and answers so
                server.stdin.write(f"{request}\n".encode())
            self._running = self._answer(server)
        in_time = False
        try:
            in_time = bool(select.select([server.stdout], [], [], seconds)[0])
        finally:
            if not in_time:
                self._end_tests()
            code = self._answer(server)
            self._running = None
        return code if in_time else None

    def _answer(self, server: subprocess.Popen[bytes]) -> int:
        assert server.stdout is not None
        line = server.stdout.readline()
        if self._stopped:
            raise Stopped
        if not line:
            raise RuntimeError(f"the process that forks for the tests has ended with {server.wait()}")
        return int(line)

    def _started(self) -> subprocess.Popen[bytes]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "PYTHONPATH": str(self._folder), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py")), *self._libraries],
            cwd=self._folder,
            env={**os.environ, **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # an answer that is here but in a buffer would be waited for
            start_new_session=True,  # or Ctrl-C would end it before its tests
        )

    def _end_tests(self) -> None:
        """Also what the tests have started and left."""
        if self._running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._running, signal.SIGKILL)
