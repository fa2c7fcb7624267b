"""Whether a data set is all there: what was found beside what its authors count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genreid.data.datasets.layout import Count, ImageFile, Layout


def count_split(images: Sequence[ImageFile], split: str) -> Count:
    """The images of a split, and the identities among them."""
    mine = [image for image in images if image.split == split]
    return Count(len(mine), len({image.person_id for image in mine if (image.person_id or 0) > 0}))


def differences(layout: Layout, images: Sequence[ImageFile]) -> Iterator[str]:
    """One line for each split and camera that is not as the data set's authors have it."""
    for split, official in layout.official.items():
        found = count_split(images, split)
        if found != official:
            yield (
                f"{layout.name}: {split} has {found.images:,} images of {found.identities:,} identities, "
                f"officially {official.images:,} of {official.identities:,}: "
                f"{_gap(official.images - found.images, 'images')}, "
                f"{_gap(official.identities - found.identities, 'identities')}"
            )
    seen = {image.camera_id for image in images}
    expected = set(range(1, layout.num_cameras + 1))
    if layout.num_cameras and seen != expected:
        for cameras, what in ((expected - seen, "no image of camera"), (seen - expected, "unknown camera")):
            if cameras:
                yield f"{layout.name}: {what} {', '.join(map(str, sorted(cameras)))}"


def _gap(missing: int, what: str) -> str:
    return f"{abs(missing):,} {what} {'missing' if missing >= 0 else 'too many'}"
