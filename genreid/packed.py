"""What a file of arrays would fill the memory with, known before room is made for it.

A ZIP archive, as NumPy and torch write, says of each part how large it is when it is unpacked, and a few
kilobytes may stand for terabytes. The reader takes no more of a part than that: these sizes can be relied on.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np

MOST_OF_ARRAYS = 1 << 30
"""Bytes of all arrays of a body; SMPL's are 40 MB."""


def why_not_arrays(path: Path) -> str | None:
    """What is wrong with the sizes in an .npz file, in a few words; None where nothing is.

    Raises what zipfile and NumPy raise for a file that is none.
    """
    with ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > MOST_OF_ARRAYS:
            return f"it would unpack to {unpacked / 1e9:,.1f} GB, and no body is so large"
        for part in archive.infolist():
            if (needed := _named_bytes(archive, part)) > part.file_size:
                return f"{part.filename} names {needed / 1e9:,.1f} GB and holds {part.file_size:,} bytes"
    return None


def _named_bytes(archive: ZipFile, part: ZipInfo) -> int:
    """The bytes of the array that the header of a .npy part names; 0 for another part."""
    with archive.open(part) as stream:
        if stream.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
            return 0
        stream.seek(0)
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
    return math.prod(shape) * dtype.itemsize


def why_not_torch(path: Path) -> str | None:
    """The same of a torch file, whose parts are packed by no program of torch's."""
    if not zipfile.is_zipfile(path):
        return None  # of torch before 1.6, which has each byte in the file
    with ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > path.stat().st_size:
        return f"it would unpack to {unpacked / 1e9:,.1f} GB, and torch packs nothing"
    return None
