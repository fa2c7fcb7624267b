"""The one error that a user's input can cause inside the science, what is the machine's instead, and the
reasons of torch in its words.
"""

from __future__ import annotations

import errno

_OF_A_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG})
_TORCHS_OF_MEMORY = ("can't allocate memory", "out of memory")


class GenreidError(ValueError):
    """What the user gave cannot be used.

    The message is one line: the value, what was expected, the place, and what to do about it. The
    commands print it without a traceback; anything that only a bug can break is an `assert` instead.
    """


def is_of_machine(error: BaseException) -> bool:
    """Whether an error tells of the machine: memory, descriptors, a disk, rights, a network.

    Such an error says nothing of the content of the file that was being read, so it stops the work as it is;
    it is never a status, nor "damaged". An OSError without a number is a library's word on the content.
    """
    if isinstance(error, OSError):
        return error.errno is not None and error.errno not in _OF_A_FILE
    torchs = isinstance(error, RuntimeError) and any(words in str(error) for words in _TORCHS_OF_MEMORY)
    return torchs or isinstance(error, MemoryError)


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
