"""What every layout says of a data set, and what several of them need to read one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genreid.data.files import AnyPath
from genreid.data.objects import ObjectPath
from genreid.errors import GenreidError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})
"""Of files that are taken for images, whatever the case."""

NO_IMAGE, ODD_NAME, NOT_UTF8 = "no image file", "name does not fit", "name is not UTF-8"
ANY_FOLDER = "folder"
"""The data set's name for images that lie as none of the published ones do."""
_DEEPEST_NESTING = 2


@dataclass(frozen=True)
class ImageFile:
    """One image as its layout names it.

    path: relative to the listing's root, with slashes; it is the image's id as well. camera_id: −1 where
    unknown. person_id: −1 junk, 0 distractor, None without a label.
    """

    path: str
    split: str
    camera_id: int
    person_id: int | None


@dataclass(frozen=True)
class Listing:
    """The images of a data set.

    root: the folder that paths are relative to: the one that was given, or one nested in it. skipped: reason
    → paths of files that belong to no split. notes: lines on what was taken otherwise than it is written.
    """

    root: AnyPath
    images: list[ImageFile]
    skipped: Mapping[str, list[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Count:
    """Of one split: its images, and the identities among them (junk and distractors not counted)."""

    images: int
    identities: int


@dataclass(frozen=True)
class Layout:
    """A data set of the field.

    official: split → what the data set's authors count. num_cameras: 0 where nothing official is known.
    find: lists the images below a folder; raises GenreidError where the data set is not there.
    """

    name: str
    citation: str
    official: Mapping[str, Count]
    num_cameras: int
    find: Callable[[AnyPath], Listing]


def files_below(folder: AnyPath) -> Iterator[str]:
    """Every file below `folder`, relative to it and with slashes, sorted; links to folders are followed.

    Nothing where there is no such folder. Raises GenreidError for one that may not be looked into, and
    OSError where the machine fails.
    """
    if isinstance(folder, ObjectPath):
        yield from folder.files_below()
        return
    seen: set[str] = set()
    if not folder.is_dir():
        return
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        relative = Path(place).relative_to(folder)
        for name in sorted(names):
            yield (relative / name).as_posix()


def _refuse(error: OSError) -> None:
    if not isinstance(error, PermissionError):
        raise error
    raise GenreidError(f"{error.filename}: {error.strerror}: make the data set's folders readable") from None


def why_no_image(path: str) -> str | None:
    """The reason why the file at `path` cannot be one of the images, or None."""
    name = path.rpartition("/")[2]
    try:
        path.encode()
    except UnicodeEncodeError:
        return NOT_UTF8
    # A leading dot: what macOS leaves beside each image when it copies to another system.
    if name.startswith(".") or Path(name).suffix.lower() not in IMAGE_SUFFIXES:
        return NO_IMAGE
    return None


def locate(
    folder: AnyPath, marker: str, fits: Callable[[AnyPath], bool], what: str, example: str = ""
) -> AnyPath:
    """The folder that holds `marker`: `folder` itself, or one up to two levels below it.

    fits: tells whether such a marker belongs to the data set. what: the data set's name, and example: one
    of its images' names, for messages.
    Raises GenreidError where there is none, and where two could be meant.
    """
    level = [folder]
    of_another: list[AnyPath] = []
    for _ in range(_DEEPEST_NESTING + 1):
        candidates = [place for place in level if (place / marker).exists()]
        found = [place for place in candidates if fits(place / marker)]
        of_another += candidates
        if len(found) > 1:
            names = ", ".join(str(place) for place in found)
            raise GenreidError(
                f"{folder}: {len(found)} folders look like {what} ({names}): set paths.dataset to one of them"
            )
        if found:
            return found[0]
        level = [inner for place in level for inner in _folders_in(place)]
    if of_another:
        there = [path.rpartition("/")[2] for path in files_below(of_another[0] / marker)]
        named = f"are like {example} and not like {there[0]}" if example and there else "differ"
        raise GenreidError(
            f"{of_another[0] / marker} is not that of {what}, whose names {named}: set prepare_data.dataset "
            f"to the data set that it is, to `{ANY_FOLDER}` with patterns of your own for any other, or "
            f"paths.dataset to the folder of {what}"
        )
    raise GenreidError(
        f"{folder}: no {marker} as {what} has it, here or two folders below: set paths.dataset to the folder "
        f"that the data set was unpacked to, or prepare_data.dataset to `{ANY_FOLDER}` with patterns of your "
        "own"
    )


def _folders_in(place: AnyPath) -> list[AnyPath]:
    if isinstance(place, ObjectPath):
        return [entry for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    if not os.access(place, os.R_OK | os.X_OK):  # somebody else's, on the way to the data set
        return []
    with os.scandir(place) as entries:
        found = sorted(entry.path for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return [Path(path) for path in found]


def read_split_folders(
    folder: AnyPath, splits: Mapping[str, str], pattern: re.Pattern[str], what: str, example: str
) -> Listing:
    """A data set in the layout of Market-1501: one folder a split, identity and camera in each file's name.

    splits: folder → split, the training folder first. pattern: matched against the start of file names; its
    groups `person` and `camera` are numbers. example: of such a name.
    """

    def fits(place: AnyPath) -> bool:
        return any(pattern.match(path.rpartition("/")[2]) for path in files_below(place))

    root = locate(folder, next(iter(splits)), fits, what, example)
    images: list[ImageFile] = []
    skipped: dict[str, list[str]] = {}
    for name, split in splits.items():
        for path in files_below(root / name):
            match = pattern.match(path.rpartition("/")[2])
            if reason := why_no_image(path) or (None if match else ODD_NAME):
                skipped.setdefault(reason, []).append(f"{name}/{path}")
                continue
            assert match is not None
            images.append(ImageFile(f"{name}/{path}", split, int(match["camera"]), int(match["person"])))
    return Listing(root, images, skipped)
