"""The one error that a user's input can cause inside the science."""

from __future__ import annotations


class GenreidError(ValueError):
    """What the user gave cannot be used.

    The message is one line: the value, what was expected, the place, and what to do about it. The
    commands print it without a traceback; anything that only a bug can break is an `assert` instead.
    """
