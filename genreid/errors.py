"""The one error that a user's input can cause inside the science, and the reasons of torch in its words."""

from __future__ import annotations


class GenreidError(ValueError):
    """What the user gave cannot be used.

    The message is one line: the value, what was expected, the place, and what to do about it. The
    commands print it without a traceback; anything that only a bug can break is an `assert` instead.
    """


def why_not_loaded(error: Exception) -> str:
    """What `torch.load` has against a file, in a few words: its own message advises to load it unsafely."""
    text = " ".join(str(error).split())
    if (start := text.find("Unsupported global")) >= 0:  # names what the file wants to make
        return f"it would run code: {text[start:].split(' was not')[0]}"
    if isinstance(error, EOFError):
        return "it is empty or was cut short"
    if "weights_only" in text or not isinstance(error, OSError | RuntimeError):
        return "it is no torch file of tensors and plain types"
    return text[:200].rstrip(".")
