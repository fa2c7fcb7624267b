"""Where the files of a run are read: in the project's folder, or in a revision of it that DVC knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import PipelineError


class Source(Protocol):
    """Files by their paths relative to the project."""

    name: str

    def read(self, path: str) -> bytes | None:
        """What the file holds; None where it is not there."""
        ...

    def files(self, folder: str) -> list[str]:
        """All files below a folder, sorted; none where it is not there."""
        ...


class Workspace:
    """The folder of the project at `root`."""

    def __init__(self, root: Path) -> None:
        self.name = "this run"
        self._root = root

    def read(self, path: str) -> bytes | None:
        place = self._root / path
        return place.read_bytes() if place.is_file() else None

    def files(self, folder: str) -> list[str]:
        below = sorted((self._root / folder).rglob("*"))
        return [path.relative_to(self._root).as_posix() for path in below if path.is_file()]


class Revision:
    """The project as an experiment or a commit has it: files of git, and outs that DVC's cache still has.

    Raises PipelineError where there is no such revision, or no repository at all.
    """

    def __init__(self, root: Path, revision: str) -> None:
        from dvc.api import DVCFileSystem
        from dvc.exceptions import DvcException

        self.name = revision
        try:
            self._files = DVCFileSystem(str(root), rev=revision)
            self._files.exists("params.yaml")
        except DvcException as error:
            raise PipelineError(
                f"--against {revision}: {_first_line(error)}; name an experiment that `dvc exp show` lists, "
                "a branch, a tag or a commit"
            ) from None

    def read(self, path: str) -> bytes | None:
        from dvc.exceptions import DvcException

        try:
            return bytes(self._files.read_bytes(path))
        except (FileNotFoundError, IsADirectoryError, DvcException):  # an out may have left the cache
            return None

    def files(self, folder: str) -> list[str]:
        from dvc.exceptions import DvcException

        try:
            return sorted(self._files.find(folder))
        except (FileNotFoundError, DvcException):
            return []


def committed_params(root: Path) -> bytes | None:
    """params.yaml as the commit that is checked out has it; None without git, or where it has none."""
    from subprocess import CalledProcessError, run

    command = ["git", "-C", str(root), "show", "HEAD:./params.yaml"]
    try:
        return run(command, check=True, capture_output=True).stdout
    except (OSError, CalledProcessError):
        return None


def flat_yaml(content: bytes) -> dict[str, Any]:
    """Every leaf of a YAML mapping by its dotted key. Raises ValueError where it is none."""
    return flat(nested_yaml(content))


def nested_yaml(content: bytes) -> Mapping[str, Any]:
    """A YAML mapping. Raises ValueError where it is none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe").load(content)
    except YAMLError as error:
        raise ValueError(_first_line(error)) from None
    if not isinstance(found, Mapping):
        raise ValueError("it is no mapping")
    return found


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of nested mappings by their dotted keys; an empty mapping is a leaf."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= {f"{name}.{key}": leaf for key, leaf in flat(value).items()}
        else:
            found[str(name)] = value
    return found


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
