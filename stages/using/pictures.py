"""Pictures that the user names, and where files can be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.outputs import IsOurs, holds
from pipeline.pictures import MADE_BY, PNG_MARK
from stages.shared.outputs import require_output_file
from stages.shared.run import Project

_PICTURE_KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
COMMENT = f"Software: {MADE_BY}"
"""Of a JPEG, which has no place of its own for it."""


def check_output(project: Project, path: Path, command: str, is_ours: IsOurs) -> None:
    """Raise PipelineError, before any work, where no file can be written or another's would be replaced.

    is_ours: whether a file that is there was written by the `command`, which may do so again.
    """
    if path.exists() and not path.is_file():  # a device, say, would be replaced by a file
        raise PipelineError(f"{path} is {'a folder' if path.is_dir() else 'no ordinary file'}; name a file")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise PipelineError(f"{path}: nothing can be written in {above}; name a file elsewhere")
    require_output_file(project.root, project.params, path, f"`genreid {command}`", is_ours)


def check_picture(project: Project, path: Path, command: str) -> None:
    """The same, and for a suffix that `write_picture` knows nothing of."""
    check_output(project, path, command, holds(PNG_MARK, COMMENT.encode()))
    if path.suffix.lower() not in _PICTURE_KINDS:
        raise PipelineError(f"{path}: a picture's name ends in {', '.join(_PICTURE_KINDS)}")


def write_picture(path: Path, picture: Any) -> None:
    """A PNG or, by the suffix of `path`, a JPEG; either says inside that it is ours."""
    from io import BytesIO

    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    from pipeline.artifacts import write_bytes

    stream = BytesIO()
    info = PngInfo()
    info.add_text("Software", MADE_BY)
    kind = _PICTURE_KINDS[path.suffix.lower()]
    Image.fromarray(picture).save(stream, format=kind, pnginfo=info, comment=COMMENT)
    write_bytes(path, stream.getvalue())


def read_picture(path: Path) -> Any:
    """The image that the user names: (h, w, 3) uint8 RGB. Raises PipelineError."""
    from genreid.data.images import read_image
    from genreid.errors import GenreidError

    if path.is_dir():
        raise PipelineError(f"{path} is a folder; name an image in it")
    if not path.is_file():
        raise PipelineError(f"{path}: no such file; name an image")
    try:
        return read_image(path)
    except GenreidError:
        raise PipelineError(f"{path}: not a readable image; name a JPEG, PNG or the like") from None
