"""Any folder of images, with patterns that say which image is what.

A pattern is a regular expression that fits the whole path of an image below the folder, slashes and suffix
included. Its named groups, both optional, are `camera` and `person`. Whole numbers are taken as they are (as
in Market-1501, person −1 is junk and 0 a distractor); other names are numbered from 1 in sorted order. A
person 0 among training images or queries, where a distractor has no place, is a person like all others: there
they are numbered from 0, and each gets the next number.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from genreid.data.datasets.layout import (
    ANY_FOLDER,
    ODD_NAME,
    ImageFile,
    Layout,
    Listing,
    files_below,
    why_no_image,
)
from genreid.data.files import AnyPath
from genreid.data.manifest import UNKNOWN_CAMERA
from genreid.errors import GenreidError

GROUPS = ("camera", "person")
DISTRACTOR = 0
_FROM_ZERO = (
    "person 0 is among training images or queries, so persons are taken to be numbered from 0 and each gets "
    "the next number; where 0 is nobody in particular, let the pattern of prepare_data.folder not fit it: "
    r"(?P<person>(?!0+\D)\d+)"
)
_WHOLE_NUMBER = re.compile(r"-?\d+")
_MOST_CAMERAS = 2**15 - 1
_MOST_PERSONS = 2**31 - 2  # one less than a manifest holds, so that each has a next one


@dataclass(frozen=True)
class FolderSettings:
    """The pattern of each split; null for a split that the folder does not have."""

    train: str
    """Pattern of the training images. A regular expression of whole paths below `paths.dataset`, with the
    groups `(?P<camera>…)` and `(?P<person>…)`, both optional."""
    query: str | None
    """Pattern of the queries. A regular expression of whole paths below `paths.dataset`, with the groups
    `(?P<camera>…)` and `(?P<person>…)`, both optional. Null where there are none; then `gallery` is
    null too."""
    gallery: str | None
    """Pattern of the gallery. A regular expression of whole paths below `paths.dataset`, with the groups
    `(?P<camera>…)` and `(?P<person>…)`, both optional. Null where there is none; then `query` is
    null too."""

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

    def find(folder: AnyPath) -> Listing:
        return _find(folder, settings)

    return Layout(ANY_FOLDER, citation="", official={}, num_cameras=0, find=find)


def _find(folder: AnyPath, settings: FolderSettings) -> Listing:
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
    images = _numbered(matches)
    if any(image.person_id == DISTRACTOR and image.split != "gallery" for image in images):
        return Listing(folder, [_next_number(image) for image in images], skipped, notes=(_FROM_ZERO,))
    return Listing(folder, images, skipped)


def _next_number(image: ImageFile) -> ImageFile:
    """With 1 added to its person's number; junk stays junk."""
    known = image.person_id is not None and image.person_id >= DISTRACTOR
    return replace(image, person_id=image.person_id + 1) if known else image  # type: ignore[operator]


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
