"""Where a path really is, and the places that no output may take: links resolved, case and spelling aside."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError

PROJECT_FILES = ("params.yaml", "dvc.yaml", "dvc.lock")
_PACKAGES = ("genreid", "pipeline", "stages")
_CODE = (*_PACKAGES, "recipes", "tests", "tools", "benchmarks")
_STATE = (".genreid", "provenance")


Way = tuple[tuple[str, tuple[int, int] | None], ...]
"""Of every folder from the root down to a path, and of the path: name and identity; see `Spot`."""


@dataclass(frozen=True)
class Place:
    """A place that is not an output's. is_all: nor is what lies inside it."""

    what: str
    path: Path
    is_all: bool = True


@dataclass(frozen=True)
class Spot:
    """The ways to a path: as it is written, and with its last link resolved.

    Names are compared without case and in one spelling of accents, as many disks do: two places that differ
    in nothing else are taken for one on every disk. identity: device and number of a folder that is there,
    which stay the same under whatever name it is reached; else None.
    """

    ways: tuple[Way, ...]

    @classmethod
    def of(cls, path: Path, is_output: bool = False) -> Spot:
        """is_output: a link to a file counts where it lies: it would be replaced, and its target stays.

        Raises PipelineError for what can be no path.
        """
        try:
            here = Path(os.path.realpath(path.parent), path.name) if path.name else Path(path)
            there = Path(os.path.realpath(path))
        except (OSError, ValueError) as error:
            raise PipelineError(f"{str(path)!r} can be no path ({error}); name another") from None
        if path.name == "..":
            here = there
        ways = [here] if is_output and path.is_symlink() and not path.is_dir() else [here, there]
        return cls(tuple(tuple(_steps(way)) for way in dict.fromkeys(ways)))


def _steps(path: Path) -> Iterator[tuple[str, tuple[int, int] | None]]:
    for folder in (*reversed(path.parents), path):
        try:
            found = os.stat(folder)
            is_folder = os.path.isdir(folder)
        except (OSError, ValueError):
            is_folder = False
        name = unicodedata.normalize("NFC", folder.name).casefold()
        yield name, (found.st_dev, found.st_ino) if is_folder else None


def relation(spot: Spot, other: Spot) -> str:
    """`is`, `contains` or `lies inside`: how the first lies to the other; empty where they are apart."""
    pairs = [(way, other_way) for way in spot.ways for other_way in other.ways]
    is_below = any(_is_at_or_below(way, other_way) for way, other_way in pairs)
    is_above = any(_is_at_or_below(other_way, way) for way, other_way in pairs)
    return {(True, True): "is", (True, False): "lies inside", (False, True): "contains"}.get(
        (is_below, is_above), ""
    )


def _is_at_or_below(way: Way, other: Way) -> bool:
    identity = other[-1][1]
    if identity is not None and any(identity == step[1] for step in way):
        return True
    return [name for name, _ in way[: len(other)]] == [name for name, _ in other]


def places_of_project(root: Path) -> list[Place]:
    """What no output of the project at `root` may touch, besides its data set and its other outputs."""
    from importlib.util import find_spec

    specs = [find_spec(name) for name in _PACKAGES]
    packages = [Path(folder) for spec in specs if spec for folder in spec.submodule_search_locations or ()]
    above = (root, *root.resolve().parents)
    # `dvc exp run --temp` works in a copy of the project within the `.dvc` of the first.
    folders = [folder / name for name in (".git", ".dvc") for folder in above]
    apart = [folder for folder in folders if not root.resolve().is_relative_to(folder.resolve())]
    return [
        Place("the project's folder", root, is_all=False),
        *(Place("a home folder", home, is_all=False) for home in _homes()),
        *(Place(name, root / name) for name in PROJECT_FILES),
        *(Place(f"code ({path.name})", path) for path in (*packages, *(root / name for name in _CODE))),
        *(Place(f"the state of runs ({name})", root / name) for name in _STATE),
        *(Place(folder.name, folder) for folder in apart),
        *(Place("a cache of fetched models", folder) for folder in model_caches()),
    ]


def model_caches() -> Iterator[Path]:
    """Where torch, Hugging Face, ROMP and this program keep what was fetched, by their own variables."""
    cache = Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"))
    yield Path(os.environ.get("TORCH_HOME") or cache / "torch")
    yield Path(os.environ.get("HF_HOME") or cache / "huggingface")
    yield cache / "genreid"
    if named := os.environ.get("GENREID_MODELS"):
        yield Path(os.path.expanduser(named)).absolute()
    yield Path(os.path.expanduser("~/.romp"))


def _homes() -> Iterator[Path]:
    from pwd import getpwuid

    yield Path(os.path.expanduser("~"))
    try:
        yield Path(getpwuid(os.getuid()).pw_dir)
    except KeyError:  # in a container the user need not have an entry
        return
