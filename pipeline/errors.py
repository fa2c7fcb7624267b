"""The error of a run that its user can put right."""

from __future__ import annotations


class PipelineError(ValueError):
    """A file, a param or the state of a run is not as it must be.

    The message is one line: the value, what was expected, the place, and what to do about it. The
    commands print it without a traceback.
    """
