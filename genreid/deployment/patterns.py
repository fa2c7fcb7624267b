"""What the path of an image tells of it, by regular expressions that users write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from genreid.deployment.times import FORMS, parse_time
from genreid.errors import GenreidError


@dataclass(frozen=True)
class Told:
    """camera, time: regular expressions with a group of that name, which is looked for anywhere in a path;
    or None, where nobody asks. Raises GenreidError for what is none.
    """

    camera: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        for group, pattern in (("camera", self.camera), ("time", self.time)):
            if pattern is not None:
                check_pattern(pattern, group)

    def cameras(self, paths: Sequence[str]) -> list[str | None]:
        """Of each path; None where it tells none."""
        return [None if self.camera is None else found_in(self.camera, "camera", path) for path in paths]

    def times(self, paths: Sequence[str]) -> list[datetime | None]:
        """The same. Raises GenreidError where the pattern finds what is no time."""
        return [None if self.time is None else _time_in(self.time, path) for path in paths]

    def require_found(self, paths: Sequence[str]) -> None:
        """Raises GenreidError where a pattern finds nothing in any path, and where it finds what is no
        time."""
        for group, pattern, found in (
            ("camera", self.camera, self.cameras(paths)),
            ("time", self.time, self.times(paths)),
        ):
            if pattern is not None and not any(one is not None for one in found):
                raise finds_nothing(pattern, group, paths)


def check_pattern(pattern: str, group: str) -> None:
    """Raises GenreidError where it is no regular expression, or has no such group."""
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise GenreidError(f"--{group}-pattern: '{pattern}' is no regular expression ({error})") from None
    if group not in groups:
        raise GenreidError(
            f"--{group}-pattern: '{pattern}' has no group `{group}`: write `(?P<{group}>…)` around the part "
            "of a path that tells it"
        )


def found_in(pattern: str, group: str, path: str) -> str | None:
    """What the group finds, or None. The pattern must be one that `check_pattern` lets pass."""
    found = re.search(pattern, path)
    return found[group] if found else None


def finds_nothing(pattern: str, group: str, paths: Sequence[str]) -> GenreidError:
    """The error for a pattern that finds nothing in these paths."""
    return GenreidError(
        f"--{group}-pattern: '{pattern}' finds no {group} in any of {len(paths)} paths, such as "
        f"{paths[0] if paths else 'none'}: write one that does, or leave it out"
    )


def _time_in(pattern: str, path: str) -> datetime | None:
    text = found_in(pattern, "time", path)
    if text is not None and (time := parse_time(text)) is None:
        raise GenreidError(
            f"--time-pattern: '{text}' in {path} is no time: the group has to be all of one, such as {FORMS}"
        )
    return time if text is not None else None
