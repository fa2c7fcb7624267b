"""`render-views`: every mesh, drawn from all sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stages._options import Device, Fresh, ShowProgress, SplitName, Workers
from stages._run import Options, open_stage

if TYPE_CHECKING:
    import pyarrow as pa

_IMAGES_PER_PIECE = 64


@dataclass(frozen=True)
class RenderViewsSettings:
    """splits: whose images are drawn. yaws_deg: the viewpoints, 0 the image's own. backend: see
    `genreid.render.backend`. matches: whether the shards say which pixels of a view show what the image
    shows, for generators that carry texture.
    """

    splits: tuple[SplitName, ...]
    yaws_deg: tuple[int, ...]
    backend: Literal["auto", "zbuffer", "pytorch3d"]
    matches: bool
    images_per_shard: int


def render_views(
    fresh: Fresh = False, device: Device = "auto", workers: Workers = 0, progress: ShowProgress = True
) -> None:
    """Draw the mesh of every image from its own viewpoint and from rotated ones, in grey."""
    options = Options(fresh, device, workers, progress)
    with open_stage("render-views", options, inputs=("manifest", "mesh")) as run:
        import numpy as np

        from genreid.render.backend import choose_renderer
        from genreid.render.matching import match_views, with_matches
        from genreid.render.views import render_views, view_table, write_options
        from stages._body import open_body
        from stages._data import read_manifest
        from stages._mesh import read_mesh
        from stages._shards import plan_shards, write_shards

        settings = run.settings(RenderViewsSettings)
        manifest = read_manifest(run).select(*settings.splits)
        body = open_body(run.root, manifest.info.body)
        renderer = choose_renderer(settings.backend, run.device)
        meshes = read_mesh(run, manifest, body)

        def draw(piece: range) -> pa.Table:
            index = np.array([image for image in piece if meshes.valid[image]], np.int64)
            drawn, yaws_deg = meshes.select(index), settings.yaws_deg
            bodies = body, drawn.parameters, drawn.camera, manifest.height[index], manifest.width[index]
            ids = [manifest.image_id[image] for image in index]
            views = render_views(*bodies, yaws_deg, renderer)
            table = view_table(zip(ids, views, strict=True), yaws_deg, body.fingerprint)
            if not settings.matches:
                return table
            matches = match_views(*bodies, yaws_deg, renderer)
            return with_matches(table, dict(zip(ids, matches, strict=True)), yaws_deg)

        write_shards(
            run,
            "views",
            plan_shards(len(manifest), _IMAGES_PER_PIECE, settings.images_per_shard),
            draw,
            "drawing views",
            num_threads=run.workers,
            **write_options(len(settings.yaws_deg)),
        )
        run.show(
            "Views",
            {
                "images": len(manifest),
                "images without a mesh": int((~meshes.valid).sum()),
                "views": int(meshes.valid.sum()) * len(settings.yaws_deg),
                "renderer": renderer.name,
            },
        )
