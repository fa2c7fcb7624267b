"""The error of a run that its user can put right, and those of the machine."""

from __future__ import annotations

_TORCHS_OF_MEMORY = ("can't allocate memory", "out of memory")


class PipelineError(ValueError):
    """A file, a param or the state of a run is not as it must be.

    The message is one line: the value, what was expected, the place, and what to do about it. The
    commands print it without a traceback.
    """


def is_of_machine(error: BaseException) -> bool:
    """Whether an error tells of the machine (memory, descriptors, a disk, rights) and nothing of a file.

    As `genreid.errors.is_of_machine`, which this room does not know: a file that could not be opened today is
    not a damaged one, and is not to be made again.
    """
    if isinstance(error, OSError):
        missing = isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError)
        return error.errno is not None and not missing
    torchs = isinstance(error, RuntimeError) and any(words in str(error) for words in _TORCHS_OF_MEMORY)
    return torchs or isinstance(error, MemoryError)
