"""The checkpoint that made a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from stages.shared.run import Project
from stages.using.checkpoint import Checkpoint, open_checkpoint
from stages.using.views import Views

if TYPE_CHECKING:
    from genreid.deployment.gallery_table import Searchable


def checkpoint_of(
    project: Project, embedded: Searchable, gallery: Path, named: str | None, views: Views
) -> Checkpoint:
    """The checkpoint that embedded the gallery. Raises PipelineError where the one that the user names, or
    the views, are not those of the gallery."""
    info = embedded.info
    chosen = open_checkpoint(project, named or info.checkpoint)
    if chosen.fingerprint != info.fingerprint:
        raise PipelineError(
            f"{gallery} was embedded by other weights than {chosen.place} holds now; embed the folder again: "
            f"`genreid embed {info.folder} --to {gallery}`"
        )
    if views not in (Views.auto, info.views):
        raise PipelineError(
            f"{gallery} was embedded with --views {info.views}, and --views is {views.value}: leave it out, "
            "or embed the folder again: "
            f"`genreid embed {info.folder} --views {views.value} --to {gallery}`"
        )
    return chosen
