"""What a folder of crops is: how its files are named, and what a look over them finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genreid.data.datasets.folder import FolderSettings, folder_layout
from genreid.data.datasets.layout import ANY_FOLDER, ODD_NAME, Layout, Listing, files_below, why_no_image
from genreid.data.datasets.registry import PUBLISHED
from genreid.data.datasets.schemes import scheme_of
from genreid.data.survey import MOST_OPENED, TINY_PX, Survey, survey
from genreid.errors import GenreidError
from genreid.progress import Progress

EVERYTHING = ".*"
_MOST_NAMED = 3
_MOST_CAMERAS_TOLD = 12


@dataclass(frozen=True)
class Crops:
    """A folder of crops, looked over.

    folder: as it was given. dataset, pattern: for `prepare_data`; only `folder` has a pattern. told: how
    that was seen. listing: every image, with camera and person where the names tell them.
    """

    folder: Path
    dataset: str
    pattern: str | None
    told: str
    listing: Listing
    survey: Survey

    @property
    def num_train(self) -> int:
        return sum(image.split == "train" for image in self.listing.images)

    @property
    def num_images(self) -> int:
        return len(self.listing.images)

    @property
    def cameras(self) -> Counter[int]:
        """Images of each camera that is known."""
        return Counter(image.camera_id for image in self.listing.images if image.camera_id >= 0)

    def cameras_of_persons(self, split: str | None = None) -> dict[int, set[int]]:
        """The cameras that saw each person; junk and distractors are none. split: only of its images."""
        seen: dict[int, set[int]] = {}
        for image in self.listing.images:
            if (image.person_id or 0) > 0 and split in (None, image.split):
                assert image.person_id is not None
                seen.setdefault(image.person_id, set()).add(image.camera_id)
        return seen

    def median_px(self) -> tuple[int, int]:
        """Height and width."""
        return int(np.median(self.survey.heights)), int(np.median(self.survey.widths))


def look_at(folder: Path, pattern: str | None, progress: Progress, num_threads: int) -> Crops:
    """Look a folder of crops over. pattern: of `prepare_data.folder.train`, where the user gives it.

    Raises GenreidError where there are no images in it, or none that can be read.
    """
    if not folder.is_dir():
        raise GenreidError(f"{folder} is no folder: name the folder of the crops")
    dataset, chosen, told, listing = _recognised(folder, pattern)
    paths = [image.path for image in listing.images]
    assert isinstance(listing.root, Path), "the folder is one of this machine"
    found = survey(listing.root, paths, progress, num_threads)
    if not len(found.heights):
        path, reason = found.unreadable[0]
        raise GenreidError(
            f"{folder}: none of {len(paths):,} images can be read ({path}: {reason}): look for an incomplete "
            "copy"
        )
    return Crops(folder, dataset, chosen, told, listing, found)


def _recognised(folder: Path, pattern: str | None) -> tuple[str, str | None, str, Listing]:
    """Data set, pattern, how that was seen, and the listing."""
    if pattern is None and (published := list(_published(folder))):
        layout, listing = published[-1]  # of CUHK03's two, the boxes of a detector, as a user's own are
        others = "".join(f"; {other.name} is there too" for other, _ in published[:-1])
        return layout.name, None, f"the folders of {layout.name}{others}", listing
    paths = [path for path in files_below(folder) if why_no_image(path) is None]
    if not paths:
        raise GenreidError(f"{folder}: no image in it (.jpg, .png …): name the folder of the crops")
    if pattern is not None:
        chosen, told = pattern, "the pattern that was given"
    elif reading := scheme_of(paths):
        chosen = reading.scheme.pattern
        told = (
            f"names as {reading.scheme.example} ({reading.scheme.name}), {reading.fits:,} of {len(paths):,}"
        )
    else:
        chosen, told = EVERYTHING, f"names that tell neither camera nor person{_folders_hint(paths)}"
    listing = folder_layout(FolderSettings(chosen, None, None)).find(folder)
    return ANY_FOLDER, chosen, told, listing


def _published(folder: Path) -> Iterator[tuple[Layout, Listing]]:
    """Published data sets that are there whole enough: images to train on, and queries."""
    for layout in PUBLISHED.values():
        try:
            listing = layout.find(folder)
        except GenreidError:
            continue
        if {"train", "query"} <= {image.split for image in listing.images}:
            yield layout, listing


def _folders_hint(paths: Sequence[str]) -> str:
    """Folders of crops may be cameras or persons; who made them knows."""
    tops = {path.partition("/")[0] for path in paths if "/" in path}
    if len(tops) < 2:
        return ""
    return (
        f"; its {len(tops):,} folders may: --pattern '(?P<camera>[^/]+)/.*' for a camera each, "
        "'(?P<person>[^/]+)/.*' for a person each"
    )


def findings(crops: Crops) -> Iterator[tuple[str, str]]:
    """What was found, a name and a line each."""
    images, look = crops.listing.images, crops.survey
    splits = Counter(image.split for image in images)
    parts = f": {', '.join(f'{num:,} {split}' for split, num in splits.items())}" if len(splits) > 1 else ""
    yield "crops", f"{len(images):,}{parts}"
    yield "read as", crops.told
    for name, sides in (("height", look.heights), ("width", look.widths)):
        low, middle, high = (int(value) for value in np.percentile(sides, (0, 50, 100)))
        yield name, f"{middle} px in the median, {low} to {high}"
    yield "cameras", _cameras_told(crops.cameras)
    yield "persons", _persons_told(crops.cameras_of_persons())
    yield from (("note", note) for note in crops.listing.notes)
    yield from suspicious(crops)


def suspicious(crops: Crops) -> Iterator[tuple[str, str]]:
    """What looks wrong, a name and a line each; nothing of it stops a run."""
    look = crops.survey
    of_opened = "" if look.opened == look.num_images else f" of {look.opened:,} that were opened"
    if look.opened < look.num_images:
        yield "opened", f"{look.opened:,}, from all over; prepare-data opens every one (over {MOST_OPENED:,})"
    if bad := look.unreadable:
        yield (
            "unreadable",
            f"{len(bad):,}{of_opened}, left out by the run: {_named([f'{p} ({r})' for p, r in bad])}",
        )
    if look.tiny:
        least = f"under {TINY_PX[0]} px high or {TINY_PX[1]} wide"
        yield (
            "tiny",
            f"{len(look.tiny):,}{of_opened} {least}, too little to tell persons by: {_named(look.tiny)}",
        )
    if look.wide:
        cut = "`genreid embed --boxes` cuts them"
        yield (
            "wide",
            f"{len(look.wide):,}{of_opened} wider than high; whole frames? {cut}: {_named(look.wide)}",
        )
    if look.copies:
        groups = [" = ".join(group[:_MOST_NAMED]) for group in look.copies]
        yield "copies", f"{_files(look.num_copies)} with the bytes of another: {_named(groups)}"
    for reason, paths in sorted(crops.listing.skipped.items()):
        what = "fit no pattern" if reason == ODD_NAME else reason
        yield "left out", f"{_files(len(paths))} ({what}): {_named(paths)}"


def _files(num: int) -> str:
    return f"{num:,} file" if num == 1 else f"{num:,} files"


def _cameras_told(cameras: Counter[int]) -> str:
    if not cameras:
        return "unknown: all crops count as one camera's"
    each = [f"{camera}: {num:,}" for camera, num in sorted(cameras.items())]
    shown = ", ".join(each[:_MOST_CAMERAS_TOLD]) + (" …" if len(each) > _MOST_CAMERAS_TOLD else "")
    return f"{len(cameras)} (crops of each: {shown})"


def _persons_told(seen: dict[int, set[int]]) -> str:
    if not seen:
        return "unknown: nothing can be measured, only looked at"
    several = sum(len(cameras) > 1 for cameras in seen.values())
    return f"{len(seen):,}, {several:,} of them in two cameras or more"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
