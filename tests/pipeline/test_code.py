"""Fingerprints of made-up trees: what a stage would be run again for, and what not."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline.code import PROJECT, code_fingerprint, keep_fingerprint
from pipeline.errors import PipelineError

ROOT = Path(__file__).parents[2]
Write = Callable[[Mapping[str, str]], dict[str, str]]
_NUMBERS = itertools.count()


@pytest.fixture
def fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes files below a package of its own and takes the fingerprint of its module `start`.

    `TOP` in a file is the package's name; the names of what is found are without it.
    """
    top = f"tree{next(_NUMBERS)}"
    monkeypatch.syspath_prepend(tmp_path)

    def write(files: Mapping[str, str]) -> dict[str, str]:
        for name, text in files.items():
            path = tmp_path / top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("TOP", top))
        found = code_fingerprint(f"{top}.start", (top,))
        return {name.removeprefix(top).removeprefix("."): value for name, value in found.items()}

    return write


def names(found: Mapping[str, str]) -> list[str]:
    """The modules and assets that were found."""
    return [name for name in found if name != "python"]


BEFORE = '''\
"""A module."""

import math
from typing import TYPE_CHECKING

WEIGHT = 0.5
"""Of the loss."""


class Loss:
    """A loss."""

    name: str


@staticmethod
def loss(x, y=1):
    """Its value."""
    # Half of it.
    if x > 0:
        return WEIGHT * math.exp(x) + y
    print("negative", f"value {x}")
    raise ValueError
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""\n', ""),
        ('"""A module."""\n', '"""Another text."""\n'),
        ('    """A loss."""\n', '    """A loss\n\n    of two lines.\n    """\n'),
        ('    """Its value."""\n', ""),
        ('"""Of the loss."""\n', ""),
        ("    # Half of it.\n", "\n\n    # Half\n    # of\n    # it.\n"),
        ("    # Half of it.\n", "    pass\n"),
        ("    name: str\n", '    name: str\n    """Of the loss."""\n'),
        ('"negative"', "'negative'"),
        ('"negative"', '("nega" "tive")'),
        ('"negative"', 'u"negative"'),
        ("loss(x, y=1)", "loss(\n    x,\n    y = 0x1,\n)"),
        ("WEIGHT * math.exp(x) + y", "((WEIGHT * (math.exp(x))) +\\\n y)"),
        (
            "from typing import TYPE_CHECKING\n",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import os\n",
        ),
    ],
)
def test_what_does_nothing_is_free(fingerprint: Write, old: str, new: str) -> None:
    assert BEFORE.count(old) == 1
    before = fingerprint({"start.py": BEFORE})
    assert fingerprint({"start.py": BEFORE.replace(old, new)}) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5", "0.25"),
        ("WEIGHT = 0.5", "WEIGHT = 1"),
        ("WEIGHT = 0.5\n", "WEIGHT = 0.5\nWEIGHT = 0.5\n"),
        ("y=1", "y=1.0"),
        ("y=1", "y=True"),
        ("y=1", "y=None"),
        ("(x, y=1)", "(x, *, y=1)"),
        ("(x, y=1)", "(y, x=1)"),
        ("@staticmethod", "@classmethod"),
        ("@staticmethod\n", ""),
        ("name: str", "name: int"),
        ("x > 0", "x >= 0"),
        ("WEIGHT * math.exp(x) + y", "WEIGHT * (math.exp(x) + y)"),
        ('"negative", ', ""),
        ('"negative"', '"Negative"'),
        ('"negative"', 'b"negative"'),
        ("value {x}", "value {x!r}"),
        ("value {x}", "value {x:.3f}"),
        ("raise ValueError", "return ValueError"),
        ('    print("negative", f"value {x}")\n', '        print("negative", f"value {x}")\n'),
        ("import math", "import cmath as math"),
    ],
)
def test_what_does_something_counts(fingerprint: Write, old: str, new: str) -> None:
    assert BEFORE.count(old) == 1
    before = fingerprint({"start.py": BEFORE})
    after = fingerprint({"start.py": BEFORE.replace(old, new)})
    assert names(after) == names(before) == ["start"] and after != before


def test_it_does_not_depend_on_other_modules(fingerprint: Write) -> None:
    files = {"start.py": "import TOP.used", "used.py": "x = 1", "other.py": "x = 1"}
    before = fingerprint(files)
    assert fingerprint({"other.py": "x = 2"}) == before
    after = fingerprint({"used.py": "x = 2"})
    assert after["start"] == before["start"] and after["used"] != before["used"]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("import TOP.room.one", ["room.one"]),
        ("import TOP.room.one as x, TOP.leaf", ["leaf", "room.one"]),
        ("from TOP.room import one", ["room.one"]),
        ("from TOP.room.one import name", ["room.one"]),
        ("from TOP import leaf, room", ["leaf"]),
        ("from . import leaf", ["leaf"]),
        ("from .room import one", ["room.one"]),
        ("from .room.one import name", ["room.one"]),
        ("def run():\n    from TOP import leaf\n    return leaf", ["leaf"]),
        ("class A:\n    async def run(self):\n        with x:\n            import TOP.leaf", ["leaf"]),
        ("try:\n    import nothing\nexcept ImportError:\n    import TOP.leaf", ["leaf"]),
        ("if x:\n    import TOP.leaf\nelse:\n    import TOP.room.one", ["leaf", "room.one"]),
        ("match x:\n    case 1:\n        import TOP.leaf", ["leaf"]),
        ("from TOP.room.one import *", ["room.one"]),
        ("from TOP.room import *", ["room.deep", "room.deep.two", "room.one"]),
        ("import TOP.chain", ["chain", "room.deep", "room.deep.two"]),
        ("import TOP.circle", ["circle"]),
        ("import TOP.space.three", ["space.three"]),
        ("if TYPE_CHECKING:\n    import TOP.leaf", []),
        ("if typing.TYPE_CHECKING:\n    import TOP.leaf\nelse:\n    import TOP.chain2", ["chain2"]),
        ('"import TOP.leaf"', []),
        ("# import TOP.leaf", []),
    ],
)
def test_what_is_imported(fingerprint: Write, start: str, expected: list[str]) -> None:
    files = {
        "__init__.py": '"""Nothing but words."""',
        "start.py": f"{start}\nx = 1",
        "leaf.py": "x = 1",
        "room/__init__.py": "",
        "room/one.py": "name = 1",
        "room/deep/__init__.py": "from . import two",
        "room/deep/two.py": "x = 1",
        "chain.py": "def later():\n    from TOP.room.deep import two",
        "chain2.py": "import os.path, json",
        "circle.py": "import TOP.start, TOP.circle",
        "space/three.py": "x = 1",
        "unused.py": "from TOP import leaf",
    }
    assert names(fingerprint(files)) == sorted([*expected, "start"])


def test_relative_imports_from_deep_inside(fingerprint: Write) -> None:
    files = {
        "start.py": "import TOP.a.b.c",
        "a/b/c.py": "from ... import leaf\nfrom ..d import e as f\nfrom . import g",
        "a/b/__init__.py": "from .h import i",
        **{name: "x = 1" for name in ("leaf.py", "a/d.py", "a/b/g.py", "a/b/h.py", "g.py", "h.py", "d.py")},
    }
    assert names(fingerprint(files)) == ["a.b", "a.b.c", "a.b.g", "a.b.h", "a.d", "leaf", "start"]


def test_the_package_around_a_module_is_run_too(fingerprint: Write) -> None:
    files = {"start.py": "import TOP.room.one", "room/one.py": "x = 1", "room/__init__.py": '"""Words."""'}
    before = fingerprint(files)
    assert names(before) == ["room.one", "start"]
    assert names(fingerprint({"room/__init__.py": "x = 1"})) == ["room", "room.one", "start"]
    assert names(fingerprint({"__init__.py": "x = 1"})) == ["", "room", "room.one", "start"]


def test_assets_belong_to_the_modules_beside_them(fingerprint: Write) -> None:
    files = {"start.py": "import TOP.room.one", "room/one.py": "x = 1", "room/__init__.py": ""}
    before = fingerprint(files)
    with_asset = fingerprint({"room/assets/mesh.obj": "v 0 0 0", "room/assets/parts/a.txt": "a"})
    assert names(with_asset) == ["room.one", "room/assets/mesh.obj", "room/assets/parts/a.txt", "start"]
    changed = fingerprint({"room/assets/mesh.obj": "v 0 0 1"})
    assert [name for name in changed if changed[name] != with_asset[name]] == ["room/assets/mesh.obj"]
    assert fingerprint({"elsewhere/assets/x": "x"}) == changed
    assert before.items() <= changed.items()


def test_versions_of_the_packages_that_are_imported(
    fingerprint: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.code._version", {"torch": "2.11.0", "numpy": "2.4.6", "faiss": ""}.get)
    found = fingerprint(
        {
            "start.py": "import rich\nfrom TOP import other\nfrom torch.nn import functional",
            "other.py": "def f():\n    import numpy as np, os, faiss",
            "unused.py": "import cv2",
        }
    )
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert list(found.items())[2:] == [("python", python), ("numpy", "2.4.6"), ("torch", "2.11.0")]


def test_a_version_is_the_installed_one_without_its_build(tmp_path: Path) -> None:
    """In a process of its own: what is installed is looked up once."""
    for name, version in (("torch", "9.8.7+cu999"), ("opencv_python_headless", "1.2")):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "start.py").write_text("import torch, cv2, pytorch3d")
    code = "from pipeline.code import code_fingerprint; print(code_fingerprint('tree.start', ('tree',)))"
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    # -S: none of the packages that are really installed.
    told = subprocess.check_output([sys.executable, "-S", "-c", code], env=path, text=True)
    assert told.endswith("'cv2': '1.2', 'torch': '9.8.7'}\n")


def test_a_file_that_is_no_python_is_named(fingerprint: Write) -> None:
    with pytest.raises(PipelineError, match=r"start\.py:2: no valid Python: "):
        fingerprint({"start.py": "x = 1\ny = ("})


def test_a_file_holds_a_line_a_name_and_stays_where_nothing_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "fingerprints" / "train-joint.txt"
    assert keep_fingerprint(path, {"a.b": "01", "a.c": "02", "torch": "2.11.0"}) == []
    assert path.read_text() == "a.b 01\na.c 02\ntorch 2.11.0\n"
    written = path.stat().st_mtime_ns
    assert keep_fingerprint(path, {"a.b": "01", "a.c": "02", "torch": "2.11.0"}) == []
    assert path.stat().st_mtime_ns == written
    assert keep_fingerprint(path, {"a.b": "01", "a.d": "03", "torch": "2.12.0"}) == ["a.c", "a.d", "torch"]
    assert path.read_text() == "a.b 01\na.d 03\ntorch 2.12.0\n"


def test_the_code_that_makes_fingerprints_is_in_none() -> None:
    found = code_fingerprint("stages.mesh_extract")
    assert "pipeline.resume" in found
    assert "pipeline.code" not in found and "stages.fingerprint_code" not in found


def test_the_whole_project_in_another_format_is_the_same(tmp_path: Path) -> None:
    """Every file of it, reformatted by ruff into short lines with other quotes."""
    listed = subprocess.check_output(["git", "ls-files", *PROJECT], cwd=ROOT, text=True).splitlines()
    assert len(listed) > 100
    for name in listed:
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            copy.write_bytes((ROOT / name).read_bytes())
    (tmp_path / "ruff.toml").write_text(
        "line-length = 60\nindent-width = 2\n"
        "[format]\nquote-style = 'single'\nskip-magic-trailing-comma = true\n"
    )
    ruff = Path(sys.executable).with_name("ruff")
    subprocess.run([ruff, "format", "--quiet", "--config", "ruff.toml", "."], cwd=tmp_path, check=True)
    code = (
        "from pipeline.code import code_fingerprint\n"
        "from stages.cli import STAGES\n"
        "for stage in STAGES: print(code_fingerprint(stage.__module__))"
    )
    before, after = (
        subprocess.check_output([sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": str(folder)})
        for folder in (ROOT, tmp_path)
    )
    assert before == after
