"""Looking a folder of crops over before anything is set: what is there, and what looks wrong.

N images, of which all are listed and, of very many, some are opened.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from genreid.data.files import read_file
from genreid.data.inspection import ImageFacts, inspect_image
from genreid.errors import GenreidError
from genreid.progress import Progress

MOST_OPENED = 20_000
"""Of more images, so many are opened, from all over the folder; `prepare-data` opens every one."""
TINY_PX = (32, 16)
"""Height and width under which a crop shows too little of a person: a quarter of 128×64."""


@dataclass(frozen=True)
class Survey:
    """What a look over N images found.

    opened: how many were decoded. heights, widths: (M,) int of those that could be, in pixels. seconds: for
    an opened image, on one thread. unreadable: path and why. tiny, wide: paths; wide ones are wider than they
    are high. copies: groups of two or more paths whose files are the same bytes, of all N.
    """

    num_images: int
    opened: int
    heights: np.ndarray
    widths: np.ndarray
    seconds: float
    unreadable: list[tuple[str, str]]
    tiny: list[str]
    wide: list[str]
    copies: list[list[str]]

    @property
    def num_copies(self) -> int:
        """Files that say nothing new."""
        return sum(len(group) - 1 for group in self.copies)


def survey(root: Path, paths: Sequence[str], progress: Progress, num_threads: int = 1) -> Survey:
    """Look over the images at `paths` below `root`. Raises OSError where the machine fails."""
    chosen = _spread(paths, MOST_OPENED)
    facts: list[tuple[str, ImageFacts, float]] = []
    with ThreadPoolExecutor(num_threads) as threads:
        looked = threads.map(lambda path: _look(root, path), chosen)
        facts.extend(progress.track(looked, "looking the crops over", total=len(chosen)))
    readable = [(path, fact) for path, fact, _ in facts if fact.status == "ok"]
    heights = np.array([fact.height for _, fact in readable], np.int64)
    widths = np.array([fact.width for _, fact in readable], np.int64)
    is_tiny = (heights < TINY_PX[0]) | (widths < TINY_PX[1])
    names = [path for path, _ in readable]
    return Survey(
        num_images=len(paths),
        opened=len(chosen),
        heights=heights,
        widths=widths,
        seconds=sum(seconds for *_, seconds in facts) / max(1, len(facts)),
        unreadable=[(path, fact.detail or "") for path, fact, _ in facts if fact.status != "ok"],
        tiny=[names[place] for place in np.flatnonzero(is_tiny)],
        wide=[names[place] for place in np.flatnonzero(widths > heights)],
        copies=sorted(copies(root, paths)),
    )


def copies(root: Path, paths: Sequence[str]) -> Iterator[list[str]]:
    """Groups of paths whose files have the same bytes. Only files of one size are read."""
    by_size: dict[int, list[str]] = {}
    for path in paths:
        size = _size(root / path)
        if size > 0:
            by_size.setdefault(size, []).append(path)
    for same_size in by_size.values():
        if len(same_size) > 1:
            by_content: dict[bytes, list[str]] = {}
            for path in same_size:
                if digest := _digest(root / path):
                    by_content.setdefault(digest, []).append(path)
            yield from (group for group in by_content.values() if len(group) > 1)


def _look(root: Path, path: str) -> tuple[str, ImageFacts, float]:
    started = perf_counter()
    facts = inspect_image(root / path, root)
    return path, facts, perf_counter() - started


def _spread(paths: Sequence[str], most: int) -> list[str]:
    """At most so many of the paths, from all over the list."""
    if len(paths) <= most:
        return list(paths)
    return [paths[place] for place in np.unique(np.linspace(0, len(paths) - 1, most).astype(np.int64))]


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):  # `inspect_image` says what is wrong with it
        return 0


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(read_file(path)).digest()
    except GenreidError:
        return b""
