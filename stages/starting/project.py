"""Making a project in a folder: its files, git and DVC. Nothing that is there is written over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which

from pipeline.artifacts import write_bytes
from pipeline.errors import PipelineError
from stages.starting.templates import FILES

IGNORING = (".gitignore", ".dvcignore")
"""Files to which lines are added where they are there already."""
_NAME = "genreid@localhost"
_NOBODY = ("-c", "user.name=genreid", "-c", f"user.email={_NAME}")
"""Of the first commit where git has no name of the user's: DVC cannot track a run in an empty repository."""
_OF_DVC = tuple(name for name in FILES if name.startswith(".dvc/"))


@dataclass
class Made:
    """What was made, and what was kept: lines for the reader. began_git: the repository is new."""

    lines: list[str] = field(default_factory=list)
    began_git: bool = False


def files_in_the_way(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Names of a project's files that are there already and say something else."""
    theirs = (name for name in files if name not in (*IGNORING, *_OF_DVC))
    return [name for name in theirs if _is_other(folder / name, files[name])]


def require_free(folder: Path, files: Mapping[str, bytes]) -> None:
    """Raises PipelineError where a file of the user's would be written over, or `folder` can be none."""
    if folder.exists() and not folder.is_dir():
        raise PipelineError(f"{folder} is no folder; name another")
    if there := files_in_the_way(folder, files):
        shown = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
        raise PipelineError(
            f"{folder}: {shown} {'is' if len(there) == 1 else 'are'} there already, and nothing is written "
            "over; name another folder, or move them away"
        )


def make_project(folder: Path, files: Mapping[str, bytes]) -> Made:
    """Write the files of a project into `folder` and begin git and DVC there, where they are not there yet.

    What an interrupted call has made is kept. Raises PipelineError where it cannot be made.
    """
    require_free(folder, files)
    made = Made()
    folder.mkdir(parents=True, exist_ok=True)
    new = [name for name in files if name not in _OF_DVC and not (folder / name).exists()]
    for name in new:
        write_bytes(folder / name, files[name])
    made.lines.append(f"{len(new)} files written" if new else "all files were there already")
    for name in IGNORING:
        extra = _environment_inside(folder)
        lines = [*(files[name].decode().splitlines() if name not in new else ()), *extra]
        if added := _add_lines(folder / name, lines):
            made.lines.append(f"{name}: {added} lines added")
    line, made.began_git = _begin_git(folder)
    made.lines.append(line)
    made.lines.append(_begin_dvc(folder, files))
    return made


def commit(folder: Path, names: list[str], message: str) -> str:
    """Make the first commit of a repository that was begun here; what came of it in a line."""
    _git(folder, "add", "--", *names)
    for own, by in (((), ""), (_NOBODY, f"; git knows no name of yours, so it is by {_NAME}")):
        done = _git(folder, *own, "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", message)
        if done.returncode == 0:
            return f"git: a first commit, which a run needs{by}"
    return f"git: no commit, which a run needs ({_first(done.stderr)}); then: git commit -m '{message}'"


def committed_names(files: Mapping[str, bytes]) -> list[str]:
    """What belongs into the first commit."""
    return [*files, ".dvc/.gitignore"]


def _is_other(path: Path, content: bytes) -> bool:
    if not os.path.lexists(path):
        return False
    return not path.is_file() or path.read_bytes() != content


def _add_lines(path: Path, lines: list[str]) -> int:
    """Add those of `lines` that the file lacks, at its end; how many."""
    text = path.read_text(encoding="utf-8")
    known = {line.strip() for line in text.splitlines()}
    lacking = [line for line in dict.fromkeys(lines) if line.strip() and line.strip() not in known]
    lacking = [line for line in lacking if not line.startswith("#")]
    if lacking:
        text += "" if not text or text.endswith("\n") else "\n"
        write_bytes(path, (text + "\n".join(lacking) + "\n").encode())
    return len(lacking)


def _environment_inside(folder: Path) -> list[str]:
    """The line that keeps git and DVC out of this program's own environment, where it lies in the project."""
    environment, root = Path(sys.prefix).resolve(), folder.resolve()
    if environment == root or not environment.is_relative_to(root):
        return []
    return [f"/{environment.relative_to(root).as_posix()}/"]


def _begin_git(folder: Path) -> tuple[str, bool]:
    """What was done, in a line, and whether there is a repository that was not there before."""
    if which("git") is None:
        return "git is not on the path: DVC does without, experiments and studies need it", False
    found = _git(folder, "rev-parse", "--show-toplevel")
    if found.returncode == 0:
        empty = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD").returncode != 0
        lacks = "; it has no commit yet, which a run needs: make one" if empty else ""
        return f"git: the repository at {found.stdout.strip()} is kept{lacks}", False
    done = _git(folder, "init", "--quiet")
    if done.returncode:
        raise PipelineError(f"{folder}: git init failed ({_first(done.stderr)}); see to it, and run it again")
    return "git: a repository of its own", True


def _begin_dvc(folder: Path, files: Mapping[str, bytes]) -> str:
    if known := next((up for up in _up_to_repository(folder) if (up / ".dvc").is_dir()), None):
        return f"DVC: {known / '.dvc'} is kept"
    command = [sys.executable, "-m", "dvc", "init", "--quiet"]
    if which("git") is None:
        command.append("--no-scm")
    elif not (folder / ".git").exists():
        command.append("--subdir")
    own = {"DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=folder, env=os.environ | own, capture_output=True, text=True)
    if done.returncode:
        raise PipelineError(f"{folder}: dvc init failed ({_first(done.stderr)}); see to it, and run it again")
    for name in _OF_DVC:
        content = files[name]
        if "--no-scm" in command:
            content = content.replace(b"[core]\n", b"[core]\n    no_scm = True\n", 1)
        write_bytes(folder / name, content)
    return "DVC: begun"


def _up_to_repository(folder: Path) -> Iterator[Path]:
    """`folder` and those above it, as far as the git repository that it lies in."""
    here = folder.resolve()
    found = _git(folder, "rev-parse", "--show-toplevel") if which("git") else None
    top = Path(found.stdout.strip()).resolve() if found is not None and found.returncode == 0 else here
    for place in (here, *here.parents):
        yield place
        if place == top:
            return


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason told")
