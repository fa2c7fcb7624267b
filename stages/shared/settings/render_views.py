"""The section `render_views`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.data.manifest import SplitName
from genreid.ranges import Count, YawDeg
from genreid.render.settings import BackendName
from pipeline.errors import PipelineError


@dataclass(frozen=True)
class RenderViewsSettings:
    """The section `render_views`."""

    splits: tuple[SplitName, ...]
    """Whose meshes are drawn."""
    yaws_deg: tuple[YawDeg, ...]
    """Viewpoints that are drawn, 0 the image's own [deg]. 0 and one or more others, each once."""
    backend: BackendName
    """Who draws. auto: pytorch3d on a GPU where it works, zbuffer elsewhere."""
    images_per_shard: Count
    """Images of one file of views [images]."""

    def __post_init__(self) -> None:
        num = len(self.yaws_deg)
        if 0 not in self.yaws_deg or num < 2 or len(set(self.yaws_deg)) < num:
            raise PipelineError(
                f"yaws_deg is {list(self.yaws_deg)}: expected 0, the image's own viewpoint, and one or more "
                "others, each once"
            )
