"""What the commands share that use a trained encoder: its checkpoint, its input size, their options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.artifacts import hash_path, read_torch
from pipeline.errors import PipelineError
from stages._run import PRODUCERS, Options, Project

KINDS = {"joint": "of joint training", "encoder": "of the warm-up"}
"""The artifacts that hold an encoder, the one to prefer first."""

_PICTURE_KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def _complete_checkpoint(incomplete: str) -> list[str]:
    files = [str(path) for path in sorted(Path("models").glob("*.pt"))]
    return [name for name in (*KINDS, *files) if name.startswith(incomplete)]


CheckpointOption = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        "-c",
        help="joint, encoder, or the path of a checkpoint. By default joint if there is one, else encoder.",
        autocompletion=_complete_checkpoint,
        show_default=False,
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Images that go through the network at once.")]


@dataclass(frozen=True)
class Checkpoint:
    """A file with an encoder in it. place: its name for people, relative to the project where it can be."""

    content: dict[str, Any]
    path: Path
    place: str

    @property
    def fingerprint(self) -> str:
        return hash_path(self.path)


def open_project(device: str = "cpu", workers: int = 0, progress: bool = True) -> Project:
    return Project.open(Options(fresh=False, device=device, workers=workers, progress=progress))


def open_checkpoint(project: Project, wanted: str | None) -> Checkpoint:
    """The checkpoint that the user names, or the best there is; says which. Raises PipelineError."""
    key = wanted if wanted in KINDS else None
    if wanted is None:
        key = next((kind for kind in KINDS if project.path(kind).exists()), None)
        if key is None:
            raise PipelineError(
                f"{project.paths.joint} and {project.paths.encoder} are missing: run `dvc repro "
                f"{PRODUCERS['encoder']}` or all of `dvc repro` first, or name a file by --checkpoint"
            )
    path = project.path(key) if key else Path(str(wanted)).resolve()
    place = getattr(project.paths, key) if key else _shortest(path, project.root)
    remedy = project.remedy(key) if key else f"name {', '.join(KINDS)} or a checkpoint of this program"
    checkpoint = Checkpoint(read_torch(path, remedy), path, place)
    project.console.print(f"checkpoint: {place}{f', {KINDS[key]}' if key else ''}", markup=False)
    return checkpoint


def _shortest(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def training_size(project: Project) -> tuple[int, int]:
    """Height and width that the networks were trained at, as the manifest says."""
    from stages._data import read_manifest

    info = read_manifest(project).info
    return info.height_px, info.width_px


def check_output(path: Path) -> None:
    """Raise PipelineError, before any work, where no file can be written."""
    if path.exists() and not path.is_file():  # a device, say, would be replaced by a file
        raise PipelineError(f"{path} is {'a folder' if path.is_dir() else 'no ordinary file'}; name a file")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise PipelineError(f"{path}: nothing can be written in {above}; name a file elsewhere")


def check_picture_name(path: Path) -> None:
    """The same, and for a suffix that `write_picture` knows nothing of."""
    check_output(path)
    if path.suffix.lower() not in _PICTURE_KINDS:
        raise PipelineError(f"{path}: a picture's name ends in {', '.join(_PICTURE_KINDS)}")


def write_picture(path: Path, picture: Any) -> None:
    """A PNG or, by the suffix of `path`, a JPEG."""
    from io import BytesIO

    from PIL import Image

    from pipeline.artifacts import write_bytes

    stream = BytesIO()
    Image.fromarray(picture).save(stream, format=_PICTURE_KINDS[path.suffix.lower()])
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
