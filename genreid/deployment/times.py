"""Times as the names of files tell them, and as people write them.

A time has no zone: it is what the name says. One with a zone, and Unix seconds, are told in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

FORMS = "2024-01-31, 2024-01-31T10:15:00, 20240131_101500 or 1706696100 (Unix seconds, or milliseconds)"
_CALENDAR = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[T_ -]?(\d\d)[:.-]?(\d\d)(?:[:.-]?(\d\d)(?:[.,](\d{1,6}))?)?(Z|[+-]\d\d:?\d\d)?)?"
)
_UNIX = re.compile(r"(\d{10})(?:\.?(\d{3}))?")


def parse_time(text: str) -> datetime | None:
    """The time that a text is, all of it; a date is its first moment; None where it is none of `FORMS`."""
    if found := _UNIX.fullmatch(text):
        return datetime(1970, 1, 1) + timedelta(seconds=int(found[1]), milliseconds=int(found[2] or 0))
    if (found := _CALENDAR.fullmatch(text)) is None:
        return None
    *numbers, fraction, zone = found.groups()
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    try:
        time = datetime(year, month, day, hour, minute, second, int((fraction or "0").ljust(6, "0")))
    except ValueError:  # the 31st of February
        return None
    return time if zone is None else time.replace(tzinfo=_zone(zone)).astimezone(UTC).replace(tzinfo=None)


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    minutes = 60 * int(text[1:3]) + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
