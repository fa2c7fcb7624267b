"""What `render-views` is told, and the views of a piece of the images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from genreid.body.body import Body
from genreid.data.manifest import Manifest
from genreid.mesh.shards import MeshEstimates
from genreid.render.backend import Renderer
from genreid.render.views import ViewStore, render_views, view_table
from pipeline.artifacts import require_table
from stages.shared.run import Project
from stages.shared.settings.render_views import RenderViewsSettings


def open_views(run: Project) -> ViewStore:
    """The pictures of the view shards, each of which is read once to see that it is whole."""
    for part in run.parts("views"):
        require_table(part, run.remedy("views"))
    return ViewStore(run.parts("views"))


def view_maker(
    settings: RenderViewsSettings, manifest: Manifest, meshes: MeshEstimates, body: Body, renderer: Renderer
) -> Callable[[range], pa.Table]:
    """Draws the views of the images at some positions of the manifest that have a mesh."""

    def draw(piece: range) -> pa.Table:
        index = np.array([image for image in piece if meshes.valid[image]], np.int64)
        drawn, yaws_deg = meshes.select(index), settings.yaws_deg
        size = manifest.height[index], manifest.width[index]
        views = render_views(body, drawn.parameters, drawn.camera, *size, yaws_deg, renderer)
        ids = [manifest.image_id[image] for image in index]
        return view_table(zip(ids, views, strict=True), yaws_deg, body.fingerprint)

    return draw
