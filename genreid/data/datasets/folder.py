"""Any folder of images, with patterns that say which image is what.

A pattern is a regular expression that fits the whole path of an image below the folder, slashes and suffix
included. Its named groups, both optional, are `camera` and `person`. Whole numbers are taken as they are (as
in Market-1501, person −1 is junk and 0 a distractor); other names are numbered from 1 in sorted order.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from genreid.data.datasets.layout import ODD_NAME, ImageFile, Layout, Listing, files_below, why_no_image
from genreid.data.manifest import UNKNOWN_CAMERA
from genreid.errors import GenreidError

GROUPS = ("camera", "person")
_WHOLE_NUMBER = re.compile(r"-?\d+")
_MOST_CAMERAS, _MOST_PERSONS = 2**15 - 1, 2**31 - 1


@dataclass(frozen=True)
class FolderSettings:
    """The pattern of each split; null for a split that the folder does not have."""

    train: str
    query: str | None
    gallery: str | None

    def __post_init__(self) -> None:
        for split, pattern in self.patterns().items():
            unknown = set(pattern.groupindex) - set(GROUPS)
            for group in sorted(unknown):
                (nearest,) = difflib.get_close_matches(group, GROUPS, n=1, cutoff=0.0)
                raise GenreidError(
                    f"{split}: the pattern names a group {group!r}; the groups are camera and person; "
                    f"did you mean {nearest!r}?"
                )
        if (self.query is None) != (self.gallery is None):
            raise GenreidError("query and gallery go together: set both patterns, or both to null")

    def patterns(self) -> dict[str, re.Pattern[str]]:
        """Split → its pattern. Raises GenreidError where one is no regular expression."""
        compiled = {}
        for field in fields(self):
            text = getattr(self, field.name)
            if text is None:
                continue
            try:
                compiled[field.name] = re.compile(text)
            except re.error as error:
                raise GenreidError(
                    f"{field.name}: '{text}' is no regular expression ({error}); "
                    "to take every image write '.*'"
                ) from None
        return compiled


@dataclass(frozen=True)
class _Match:
    path: str
    split: str
    camera: str | None
    person: str | None


def folder_layout(settings: FolderSettings) -> Layout:
    """The layout `folder` with these patterns; nothing official is known of it."""

    def find(folder: Path) -> Listing:
        return _find(folder, settings)

    return Layout("folder", citation="", official={}, num_cameras=0, find=find)


def _find(folder: Path, settings: FolderSettings) -> Listing:
    matches: list[_Match] = []
    skipped: dict[str, list[str]] = {}
    patterns = settings.patterns()
    for path in files_below(folder):
        reason = why_no_image(path)
        fitting = [] if reason else [(s, m) for s, p in patterns.items() if (m := p.fullmatch(path))]
        if len(fitting) > 1:
            splits = " and ".join(split for split, _ in fitting)
            raise GenreidError(
                f"{path} fits the patterns of {splits}: expected one split an image; make the patterns of "
                "prepare_data.folder exclude each other"
            )
        if not fitting:
            skipped.setdefault(reason or ODD_NAME, []).append(path)
            continue
        ((split, match),) = fitting
        groups = match.groupdict()
        matches.append(_Match(path, split, groups.get("camera"), groups.get("person")))
    if not any(match.split == "train" for match in matches):
        odd = skipped.get(ODD_NAME, [])
        example = f" ({len(odd)} images fit no pattern, such as {odd[0]})" if odd else ""
        raise GenreidError(
            f"{folder}: no image fits '{settings.train}'{example}: set prepare_data.folder.train to a "
            "pattern of whole paths below that folder, '.*' for all"
        )
    return Listing(folder, _numbered(matches), skipped)


def _numbered(matches: list[_Match]) -> list[ImageFile]:
    cameras = numbers((match.camera for match in matches), smallest=0, largest=_MOST_CAMERAS)
    persons = numbers((match.person for match in matches), smallest=-1, largest=_MOST_PERSONS)
    return [
        ImageFile(
            match.path,
            match.split,
            UNKNOWN_CAMERA if match.camera is None else cameras[match.camera],
            None if match.person is None else persons[match.person],
        )
        for match in matches
    ]


def numbers(names: Iterable[str | None], smallest: int, largest: int) -> dict[str, int]:
    """Name → number: its own where all names are whole numbers within the limits, its place otherwise."""
    known = sorted({name for name in names if name is not None})
    if all(_WHOLE_NUMBER.fullmatch(name) and smallest <= int(name) <= largest for name in known):
        return {name: int(name) for name in known}
    return {name: place for place, name in enumerate(known, start=1)}
