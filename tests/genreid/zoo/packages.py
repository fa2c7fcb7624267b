"""A table of small files, packages that hold them, and clients that bring those without a network."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from genreid.zoo.table import Client, ModelFile, Source

CONTENT = b"weights of a small network " * 1000


def small_file(name: str = "small", client: Client = "pip", content: bytes = CONTENT) -> ModelFile:
    sha256 = hashlib.sha256(content).hexdigest()
    source = Source(client, "a-package==1.0", f"package/{name}.bin", len(content))
    return ModelFile(name, "tests", "MIT", ".bin", len(content), sha256, source)


def wheel(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tgz(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as bundle:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            bundle.addfile(entry, io.BytesIO(content))
    return path


_CLIENT = """\
import shutil, sys
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    print(*arguments, file=log)
if {complaint!r}:
    print({complaint!r})
    sys.exit(1)
folder = arguments[arguments.index({option!r}) + 1]
shutil.copy({package!r}, folder)
"""


def fake_clients(monkeypatch: pytest.MonkeyPatch, folder: Path, package: Path, complaint: str = "") -> Path:
    """Put a `pip` and an `npm` before the real ones: both bring `package`, or end with the complaint.

    Returns the file in which they write down their arguments, a line a call.
    """
    log = folder / "calls"
    facts = {"log": str(log), "package": str(package), "complaint": complaint}
    (folder / "modules" / "pip").mkdir(parents=True)
    (folder / "modules" / "pip" / "__init__.py").touch()
    (folder / "modules" / "pip" / "__main__.py").write_text(_CLIENT.format(option="--dest", **facts))
    (folder / "bin").mkdir()
    npm = folder / "bin" / "npm"
    npm.write_text(f"#!{sys.executable}\n" + _CLIENT.format(option="--pack-destination", **facts))
    npm.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(folder / "modules"), prepend=os.pathsep)
    monkeypatch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)
    return log
