"""In which way a command looks at images, and what it needs for that."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.artifacts import read_json_artifact
from pipeline.errors import PipelineError
from stages.shared.run import Project
from stages.using.bodies import open_turner
from stages.using.checkpoint import Checkpoint

if TYPE_CHECKING:
    from genreid.data.settings import WayName
    from genreid.deployment.looking import Looker


class Views(StrEnum):
    """The ways of `genreid.data.ways`, and the one that `evaluate` recommends."""

    auto = "auto"
    image = "image"
    mirror = "mirror"
    copies = "copies"
    turned = "turned"


def way_for(project: Project, checkpoint: Checkpoint, views: Views) -> WayName:
    """The way to look at images; auto: the one that `evaluate` recommends for this checkpoint, and the image
    alone where it knows of none.
    """
    if views is not Views.auto:
        return views.value  # type: ignore[return-value]
    recommended = _recommended(project)
    if recommended.get("checkpoint") != checkpoint.fingerprint:
        return "image"
    way: WayName = recommended["views"]  # type: ignore[assignment]
    project.console.print(f"views: {way}, as evaluate recommends", markup=False)
    return way


def open_looker(project: Project, checkpoint: Checkpoint, way: WayName) -> Looker:
    """What embeds images by a checkpoint, which are prepared as it says."""
    from genreid.deployment.looking import Looker

    encoder = checkpoint.encoder().to(project.device)
    turner = None
    if way == "turned":
        try:
            turner = open_turner(project)
        except PipelineError as error:
            raise PipelineError(f"{error}; or take another way: --views image") from error
    return Looker(encoder, way, checkpoint.prepared.size_px, project.device, turner)


def _recommended(project: Project) -> dict[str, str]:
    """What metrics.json has of it; nothing where there is no such file. Raises PipelineError."""
    if not project.path("metrics").exists():
        return {}
    remedy = f"{project.remedy('metrics')}, or say which way by --views"
    recommended: dict[str, str] = read_json_artifact(project.path("metrics"), remedy).get("recommended", {})
    return recommended
