"""A table of embeddings that the user names, and the checkpoint that made it."""

from __future__ import annotations

from pathlib import Path

from genreid.deployment.gallery import Gallery
from pipeline.artifacts import read_table
from pipeline.errors import PipelineError
from stages.shared.run import Project
from stages.using.checkpoint import Checkpoint, open_checkpoint
from stages.using.views import Views


def open_gallery(gallery: Path) -> Gallery:
    """The embedded images of a table. Raises GenreidError or PipelineError where it is none."""
    remedy = "make it by `genreid embed FOLDER`, or name another by --gallery"
    return Gallery.from_table(read_table(gallery, remedy), str(gallery))


def checkpoint_of(
    project: Project, embedded: Gallery, gallery: Path, named: str | None, views: Views
) -> Checkpoint:
    """The checkpoint that embedded the gallery. Raises PipelineError where the one that the user names, or
    the views, are not those of the gallery."""
    info = embedded.info
    chosen = open_checkpoint(project, named or info.checkpoint)
    if chosen.fingerprint != info.fingerprint:
        raise PipelineError(
            f"{gallery} was embedded by other weights than {chosen.place} holds now; embed the folder again: "
            f"`genreid embed {info.folder} --output {gallery}`"
        )
    if views not in (Views.auto, info.views):
        raise PipelineError(
            f"{gallery} was embedded with --views {info.views}, and --views is {views.value}: leave it out, "
            "or embed the folder again: "
            f"`genreid embed {info.folder} --views {views.value} --output {gallery}`"
        )
    return chosen
