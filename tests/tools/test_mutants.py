"""The faults that `make mutants` makes: which, where, and that they leave nothing behind."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from tools.mutants import copies, generated, mutant, written
from tools.mutants.baseline import TestFile, noticing
from tools.mutants.copies import Copy
from tools.mutants.generated import described
from tools.mutants.mutant import Mutant, enclosing_function

SOURCE = """\
from dataclasses import dataclass
from numba import njit
LIMIT: int | None = 3


@njit(cache=True)
def kernel(a: int | None) -> int:
    return a + 1


@dataclass(frozen=True)
class Holder:
    @property
    def half(self) -> float:
        assert 5 > 4
        return self.all / 2

    def third(self, first: int, *, more: int) -> None:
        pass
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one file, and no list of faults."""
    for module in (mutant, generated, written):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(written, "HERE", tmp_path)
    (tmp_path / "swaps").mkdir()
    (tmp_path / "some.py").write_text(SOURCE)
    return tmp_path


def test_the_faults_written_by_hand_are_of_code_that_is_there() -> None:
    assert len(written.swaps()) > 60
    written.equivalents()


def test_decorated_functions_and_kernels_are_changed_and_what_no_run_tells_is_not(project: Path) -> None:
    faults = {(fault.old, fault.new) for fault in generated.generated(["some.py"], seed=0, number=None)}
    changed = {
        "LIMIT: int | None = 3": {"LIMIT: int | None = 4", "LIMIT: int | None = 2"},
        "return a + 1": {"return a - 1", "return a + 2", "return a + 0"},
        "return self.all / 2": {"return self.all * 2", "return self.all / 3", "return self.all / 1"},
        "@property": {""},
        "@dataclass(frozen=True)": {""},
    }
    found = {(old.strip(), " ".join(new.split())) for old, new in faults}
    assert found == {(old, new) for old, news in changed.items() for new in news}


def test_an_edit_elsewhere_leaves_the_sample_as_it_is(project: Path) -> None:
    before = [(fault.old, fault.new) for fault in generated.generated(["some.py"], seed=1, number=3)]
    (project / "some.py").write_text(f"FIRST = 1\n{SOURCE}")
    after = [(fault.old, fault.new) for fault in generated.generated(["some.py"], seed=1, number=4)]
    assert len(set(before)) == 3 and set(before) <= set(after)


def test_a_fault_stands_in_the_innermost_function_that_is_called_by_name() -> None:
    tree = ast.parse(SOURCE)
    assert enclosing_function(tree, 3, 20) == 0
    assert enclosing_function(tree, 8, 11) == 0, "a kernel"
    assert enclosing_function(tree, 16, 15) == 13, "from the decorator on, as code objects count"


def test_a_written_fault_needs_its_lines_once(project: Path) -> None:
    entry = "half is all\nsome.py\n-        return self.all / 2\n+        return self.all\n"
    (project / "swaps" / "some.txt").write_text(f"# what this is\n\n{entry}")
    (fault,) = written.swaps()
    assert (fault.why, fault.old, fault.new, fault.function) == (
        "half is all",
        "return self.all / 2",
        "return self.all",
        13,
    )
    assert fault.text == SOURCE.replace(" / 2", "")
    for text in (SOURCE.replace("/ 2", "/ 3"), SOURCE + "        return self.all / 2\n"):
        (project / "some.py").write_text(text)
        with pytest.raises(written.OutOfDate, match=r"swaps/some.txt:3: some.py has [02] times"):
            written.swaps()


def test_the_tests_that_call_what_was_changed_are_tried_the_quickest_first() -> None:
    fault = Mutant("genreid/losses/l1.py", 3, 2, "a", "b", "", "", False)
    here, elsewhere = (fault.file, 2), (fault.file, 9)
    tests = [
        TestFile("tests/genreid/losses/test_slow.py", 9.0, frozenset({here})),
        TestFile("tests/genreid/losses/test_quick.py", 1.0, frozenset({here, elsewhere})),
        TestFile("tests/genreid/losses/test_other.py", 0.5, frozenset({elsewhere})),
        TestFile("tests/genreid/training/test_loop.py", 0.1, frozenset({here})),
    ]
    own, others = noticing(fault, tests)
    assert [test.name.rpartition("/")[2] for test in own] == ["test_quick.py", "test_slow.py"]
    assert [test.name.rpartition("/")[2] for test in others] == ["test_loop.py"]


def test_a_copy_is_as_it_was_after_a_fault(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "copy")
    path = copy.folder / "genreid" / "ranges.py"
    before = path.read_bytes(), path.stat().st_mtime_ns
    source = path.read_text()
    fault = described("genreid/ranges.py", source, source + "WRONG = 1\n", "one line more", by_hand=True)
    with pytest.raises(KeyboardInterrupt), copy.fault(fault):
        assert path.read_text() == fault.text and path.stat().st_mtime_ns != before[1]
        raise KeyboardInterrupt
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_what_tests_call_is_told_of_threads_and_children_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    names = ("here", "thread", "child", "nobody")
    (project / "some.py").write_text("".join(f"def {name}(): pass\n" for name in names))
    (project / "test_some.py").write_text(
        "import some, subprocess, sys, threading\n"
        "def test():\n"
        "    some.here()\n"
        "    thread = threading.Thread(target=some.thread)\n"
        "    thread.start(); thread.join()\n"
        "    subprocess.run([sys.executable, '-c', 'import some; some.child()'], check=True)\n"
    )
    monkeypatch.setattr(copies, "ROOT", project)
    copy = Copy(tmp_path / "copy", ["pytest"])
    try:
        outcome, called = copy.record("test_some.py", 600)
        assert outcome.passed
        assert {line for name, line in called if name == "some.py"} == {0, 1, 2, 3}
        assert ("test_some.py", 2) in called
        assert {name for name, _ in called} == {"some.py", "test_some.py"}
        assert not (copy.folder / "sitecustomize.py").exists()
    finally:
        copy.stop()
