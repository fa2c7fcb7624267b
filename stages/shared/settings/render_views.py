"""The section `render_views`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.data.manifest import SplitName
from genreid.ranges import Count, YawDeg
from genreid.render.settings import BackendName
from pipeline.errors import PipelineError


@dataclass(frozen=True)
class RenderViewsSettings:
    """splits: whose images are drawn. yaws_deg: the viewpoints, 0 the image's own. backend: see
    `genreid.render.backend`.
    """

    splits: tuple[SplitName, ...]
    yaws_deg: tuple[YawDeg, ...]
    backend: BackendName
    images_per_shard: Count

    def __post_init__(self) -> None:
        num = len(self.yaws_deg)
        if 0 not in self.yaws_deg or num < 2 or len(set(self.yaws_deg)) < num:
            raise PipelineError(
                f"yaws_deg is {list(self.yaws_deg)}: expected 0, the image's own viewpoint, and one or more "
                "others, each once"
            )
