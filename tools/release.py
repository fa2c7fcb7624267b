"""Builds and checks a release: `python -m tools.release`, or `make release`. It publishes nothing.

The version is pyproject.toml's and CITATION.cff's, and the topmost section of CHANGELOG.md is that version's,
with the day of the release: `## 0.2.0 (2027-01-15)`. Wheel and source archive are built from the last commit;
the wheel is installed into an environment of its own, where `genreid --version` and `genreid init` have to
work. What is left in dist/ is both archives and the notes.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_HEADING = re.compile(r"^## (?P<version>\S+) \((?P<day>[^)]*)\)$", re.MULTILINE)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_BUILD = "from setuptools import build_meta; build_meta.build_{}({!r})"


class NotReady(Exception):
    """What has to be done before a release, in one line."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--with-dependencies",
        action="store_true",
        help="install the wheel with all that it needs, which takes minutes and gigabytes; without, it sees "
        "the packages of this environment",
    )
    arguments = parser.parse_args()
    try:
        for path in release(ROOT, with_dependencies=arguments.with_dependencies):
            print(path.relative_to(ROOT))
    except NotReady as error:
        sys.exit(f"error: {error}")


def release(root: Path, *, with_dependencies: bool = False) -> list[Path]:
    """The files of the release, in `root`/dist. Raises NotReady where there can be none."""
    version = version_of(root)
    notes = notes_of((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    require_cited(root, version)
    require_committed(root, version)
    with tempfile.TemporaryDirectory() as place:
        source = Path(place, "source")
        export(root, source)
        for kind in ("sdist", "wheel"):
            build(source, kind, Path(place, "dist"), _committed_at(root))
        (wheel,) = Path(place, "dist").glob("*.whl")
        require_one_name(wheel)
        python = install(wheel, Path(place, "environment"), with_dependencies=with_dependencies)
        try_out(python, version, Path(place, "project"))
        made = sorted(Path(place, "dist").iterdir())
        (root / "dist").mkdir(exist_ok=True)
        kept = [Path(shutil.copy2(path, root / "dist")) for path in made]
    written = root / "dist" / f"genreid-{version}.md"
    written.write_text(notes, encoding="utf-8")
    return [*kept, written]


def version_of(root: Path) -> str:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def notes_of(changelog: str, version: str) -> str:
    """The topmost section of the changelog, which has to be of this version and to have a day."""
    headings = list(_HEADING.finditer(changelog))
    if not headings or headings[0]["version"] != version:
        found = headings[0]["version"] if headings else "none"
        raise NotReady(
            f"CHANGELOG.md begins with {found}, pyproject.toml says {version}: make them the same version"
        )
    if not _DAY.fullmatch(headings[0]["day"]):
        raise NotReady(
            f"CHANGELOG.md: {version} is '{headings[0]['day']}': write the day of the release, as 2027-01-15"
        )
    end = headings[1].start() if len(headings) > 1 else len(changelog)
    return f"# genreid {version}\n\n{changelog[headings[0].end() : end].strip()}\n"


def require_cited(root: Path, version: str) -> None:
    """Raises NotReady where CITATION.cff names another version."""
    found = re.search(r"^version: *(\S+)$", (root / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None or found[1] != version:
        named = found[1] if found else "none"
        raise NotReady(f"CITATION.cff names version {named}, pyproject.toml {version}: make them the same")


def require_committed(root: Path, version: str) -> None:
    """Raises NotReady where files differ from the last commit, or the version is a tag already."""
    if changed := _git(root, "status", "--porcelain").splitlines():
        raise NotReady(
            f"{len(changed)} files are not committed ({changed[0].strip()}): commit or remove them"
        )
    if _git(root, "tag", "--list", f"v{version}"):
        raise NotReady(f"v{version} is a tag already: raise the version in pyproject.toml and CHANGELOG.md")


def export(root: Path, folder: Path) -> None:
    """The last commit, without anything that lies about beside it."""
    archive = subprocess.check_output(["git", "-C", str(root), "archive", "--format=zip", "HEAD"])
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        files.extractall(folder)


def build(source: Path, kind: str, folder: Path, time: str = "") -> None:
    """Build a `wheel` or an `sdist` of the project at `source` into `folder`.

    time: seconds of the clock that the archive's files get, so that it is the same whoever builds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = {"SOURCE_DATE_EPOCH": time} if time else {}
    _run([sys.executable, "-c", _BUILD.format(kind, str(folder))], source, own, f"the {kind} cannot be built")


def require_one_name(wheel: Path) -> None:
    """Raises NotReady where the wheel would put another name than genreid into an environment."""
    with zipfile.ZipFile(wheel) as files:
        tops = {name.partition("/")[0] for name in files.namelist()}
    if others := sorted(top for top in tops if top != "genreid" and not top.endswith(".dist-info")):
        raise NotReady(f"{wheel.name} holds {', '.join(others)} beside genreid: see setup.py")


def install(wheel: Path, environment: Path, *, with_dependencies: bool = False) -> Path:
    """The Python of a new environment with the wheel.

    Without its dependencies it sees the packages that this environment has installed: folders on a path bring
    no clone with them, whose finder is started by a file that is read in an environment's own folder only.
    """
    _run([sys.executable, "-m", "venv", "--without-pip", str(environment)], environment.parent, {}, "no venv")
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    pip.append("--disable-pip-version-check")
    if not with_dependencies:
        pip.append("--no-deps")
        own = _run([str(python), "-c", _OWN], environment, {}, "no folder of packages").strip()
        Path(own, "zz_packages.pth").write_text("".join(f"{folder}\n" for folder in _packages()))
    _run([*pip, str(wheel)], environment.parent, {}, "the wheel cannot be installed")
    return python


def try_out(python: Path, version: str, project: Path) -> None:
    """Raises NotReady where the installed command is none, or makes no project."""
    command = str(python.with_name("genreid"))
    said = _run([command, "--version"], python.parent, {}, "genreid --version fails").strip()
    if said != f"genreid {version}":
        raise NotReady(f"the wheel's genreid says '{said}', not 'genreid {version}': look at the build")
    _run([command, "init", str(project)], python.parent, {}, "genreid init fails")
    if not all((project / name).is_file() for name in ("dvc.yaml", "params.yaml", "recipes/smoke.yaml")):
        raise NotReady("genreid init made no project: see stages/starting/templates.py")


_OWN = "import sysconfig; print(sysconfig.get_path('purelib'))"


def _packages() -> list[str]:
    """Folders of installed packages that this Python looks in."""
    own = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    known = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return list(dict.fromkeys([*own, *known]))


def _committed_at(root: Path) -> str:
    return _git(root, "log", "-1", "--format=%ct")


def _git(root: Path, *arguments: str) -> str:
    return _run(["git", "-C", str(root), *arguments], root, {}, f"git {arguments[0]} fails").strip()


def _run(command: list[str], folder: Path, own: Mapping[str, str], problem: str) -> str:
    """What a command prints, without this process's Python path. Raises NotReady where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | dict(own)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise NotReady(f"{problem}: {told[-1] if told else 'it says nothing'}")
    return done.stdout


if __name__ == "__main__":
    main()
