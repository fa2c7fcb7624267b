"""Runs of pytest in forks: as exact as a process of its own, and nothing of them stays."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tools.mutants.forks import Forks, Stopped

LONG_S = 600.0
KEEP_OUT = {"PYTHONDONTWRITEBYTECODE": "1"}
WITH_CHILD = """\
import subprocess
from pathlib import Path

def test_with_child():
    child = subprocess.Popen(["sleep", "1000"])
    Path("child.part").write_text(str(child.pid))
    Path("child.part").rename("child")
"""
HANGING = WITH_CHILD + "    child.wait()\n"


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    made = Forks(tmp_path, ["pytest"])
    yield made
    made.stop()


def child_has_ended(folder: Path) -> bool:
    """Whether the process ends that a test has written down; one that nobody waits for stays as a zombie."""
    process = int((folder / "child").read_text())
    for _ in range(300):
        try:
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def test_the_first_test_that_fails_is_named_and_ends_the_run(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_good(): pass\ndef test_bad(): print('here'); assert 1 > 2\n"
    )
    outcome = forks.pytest(["test_it.py"], LONG_S, {})
    assert (outcome.code, outcome.failed, outcome.passed) == (1, "test_it.py::test_bad", False)
    assert "here" in outcome.output and "assert 1 > 2" in outcome.output
    good = forks.pytest(["test_it.py", "-k", "good"], LONG_S, {})
    assert (good.code, good.failed, good.passed) == (0, "", True)
    assert forks.pytest(["test_it.py", "-k", "none"], LONG_S, {}).passed, "no tests, no failure"


def test_a_file_that_is_no_python_and_a_process_that_dies_fail(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("def test(\n")
    assert forks.pytest(["test_broken.py"], LONG_S, {}).failed == "test_broken.py"
    (tmp_path / "test_dies.py").write_text("import os\ndef test(): os.kill(os.getpid(), 11)\n")
    assert forks.pytest(["test_dies.py"], LONG_S, {}).code == -11
    (tmp_path / "test_leaves.py").write_text("import os\ndef test(): os._exit(7)\n")
    assert forks.pytest(["test_leaves.py"], LONG_S, {}).code == 7


def test_each_run_and_its_children_see_the_files_as_they_are(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import subject, subprocess, sys\n"
        "def test_here(): assert subject.VALUE == 1\n"
        "def test_child(tmp_path):\n"
        "    code = 'import subject; assert subject.VALUE == 1'\n"
        "    subprocess.run([sys.executable, '-c', code], cwd=tmp_path, check=True)\n"
    )
    for value in (1, 2, 1):
        (tmp_path / "subject.py").write_text(f"VALUE = {value}\n")
        for test in ("here", "child"):
            assert forks.pytest(["test_it.py", "-k", test], LONG_S, KEEP_OUT).passed == (value == 1)


def test_the_environment_is_that_of_the_run(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import os, sys\ndef test(): assert os.environ['COLOUR'] == 'red' and sys.dont_write_bytecode\n"
    )
    assert forks.pytest(["test_it.py"], LONG_S, {"COLOUR": "red", **KEEP_OUT}).passed
    assert not list(tmp_path.rglob("*.pyc"))
    assert not forks.pytest(["test_it.py"], LONG_S, {}).passed


def test_kernels_are_kept_where_the_run_says(tmp_path: Path) -> None:
    forks = Forks(tmp_path, ["numba", "pytest"])
    (tmp_path / "test_it.py").write_text(
        "from numba import njit\n@njit(cache=True)\ndef one(): return 1\ndef test(): assert one() == 1\n"
    )
    assert forks.pytest(["test_it.py"], LONG_S, {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}).passed
    forks.stop()
    (kept,) = tmp_path.rglob("*.nbi")
    assert kept.is_relative_to(tmp_path / "kernels")


def test_tests_that_hang_are_ended_with_their_children(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(HANGING)
    seconds = 2.0
    while not (tmp_path / "child").exists():  # on a machine that is busy they begin late
        outcome = forks.pytest(["test_it.py"], seconds, {})
        assert outcome.code is None and not outcome.passed
        seconds *= 2
    assert child_has_ended(tmp_path)
    (tmp_path / "test_it.py").write_text("def test(): pass\n")
    assert forks.pytest(["test_it.py"], LONG_S, {}).passed, "the next run is as good as any"


def test_what_tests_leave_goes(forks: Forks, tmp_path: Path) -> None:
    left = "\n    import tempfile; Path('left').write_text(tempfile.mkdtemp())\n"
    (tmp_path / "test_it.py").write_text(WITH_CHILD + left)
    assert forks.pytest(["test_it.py"], LONG_S, {}).passed
    assert child_has_ended(tmp_path)
    assert not Path((tmp_path / "left").read_text()).exists()


def test_stop_ends_tests_that_run_and_no_others_begin(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(HANGING)
    told: list[BaseException] = []

    def run() -> None:
        try:
            forks.pytest(["test_it.py"], LONG_S, {})
        except Stopped as stopped:
            told.append(stopped)

    thread = threading.Thread(target=run)
    thread.start()
    while not (tmp_path / "child").exists() and thread.is_alive():
        time.sleep(0.1)
    forks.stop()
    thread.join()
    assert len(told) == 1 and child_has_ended(tmp_path)
    with pytest.raises(Stopped):
        forks.pytest(["test_it.py"], LONG_S, {})


def test_a_library_that_is_missing_is_an_error(tmp_path: Path) -> None:
    forks = Forks(tmp_path, ["no_such_library"])
    with pytest.raises(RuntimeError, match="has ended with 1"):
        forks.pytest([], LONG_S, {})
    forks.stop()
