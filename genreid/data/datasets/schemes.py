"""How people name their crops: patterns that read camera and person off a path, told by the paths alone.

The schemes of the published data sets come first, because trackers and labelling programs write them too,
then those that name a camera. A bare folder may be a camera or a person, and a bare number either or a frame,
so nothing is read off them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LEAST_SHARE = 0.9
_MOST_PERSONS_SHARE = 0.8
_ANYWHERE = r"(?:.*/)?"


@dataclass(frozen=True)
class Scheme:
    """A way to name crops. pattern: of the whole path below the folder, as `prepare_data.folder` wants it."""

    name: str
    example: str
    pattern: str


SCHEMES = (
    Scheme(
        "Market-1501",
        "0002_c1s1_000451_03.jpg",
        _ANYWHERE + r"(?P<person>-?\d{1,9})_c(?P<camera>\d{1,4})s\d+_[^/]*",
    ),
    Scheme(
        "DukeMTMC-reID",
        "0005_c2_f0046985.jpg",
        _ANYWHERE + r"(?P<person>\d{1,9})_c(?P<camera>\d{1,4})_f\d+[^/]*",
    ),
    Scheme(
        "MSMT17",
        "0000_000_01_0303morning_0008_0.jpg",
        _ANYWHERE + r"(?P<person>\d{1,9})_\d+_(?P<camera>\d{1,4})_\d{4}[a-z]+_[^/]*",
    ),
    Scheme(
        "CUHK03",
        "0003_c1_21.png",
        _ANYWHERE + r"(?P<person>\d{1,9})_c(?P<camera>\d{1,4})_\d+\.[^/.]+",
    ),
    Scheme(
        "a folder a camera",
        "cam3/0001.jpg",
        _ANYWHERE + r"[Cc][Aa][Mm](?:[Ee][Rr][Aa])?[-_ ]?(?P<camera>\d{1,4})/.*",
    ),
    Scheme(
        "camera in the file's name",
        "hall_cam2_0001.jpg",
        _ANYWHERE + r"(?:[^/]*[-_ ])?[Cc][Aa][Mm](?:[Ee][Rr][Aa])?[-_ ]?(?P<camera>\d{1,4})(?!\d)[^/]*",
    ),
    Scheme(
        "camera in the file's name",
        "p12_c3_0001.jpg",
        _ANYWHERE + r"(?:[^/]*[-_])?c(?P<camera>\d{1,4})(?:[-_][^/]*|\.[^/.]+)",
    ),
)


@dataclass(frozen=True)
class Reading:
    """What a pattern reads off paths. fits: how many of them. cameras, persons: how many different ones, 0
    where it has no such group."""

    scheme: Scheme
    fits: int
    cameras: int
    persons: int


def read_names(paths: Sequence[str], scheme: Scheme) -> Reading:
    """What the pattern of `scheme` reads off the paths."""
    pattern = re.compile(scheme.pattern)
    found = [match.groupdict() for path in paths if (match := pattern.fullmatch(path))]
    seen = {group: {one[group] for one in found if one.get(group)} for group in ("camera", "person")}
    return Reading(scheme, len(found), len(seen["camera"]), len(seen["person"]))


def scheme_of(paths: Sequence[str]) -> Reading | None:
    """The first scheme that nine of ten paths follow, or None.

    Where nearly every path has a number of its own in the place of the person, it is a frame's or a track's:
    then the pattern does without.
    """
    for scheme in SCHEMES:
        reading = read_names(paths, scheme)
        if not paths or reading.fits < _LEAST_SHARE * len(paths):
            continue
        if reading.persons > max(1, _MOST_PERSONS_SHARE * reading.fits):
            pattern = scheme.pattern.replace("(?P<person>", "(?:")
            return read_names(paths, Scheme(scheme.name, scheme.example, pattern))
        return reading
    return None
