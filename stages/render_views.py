"""`render-views`: every mesh, drawn from all sides."""

from __future__ import annotations

from stages.shared.options import Device, Engine, Fresh, On, ShowProgress, Workers
from stages.shared.run import Options, open_stage

_IMAGES_PER_PIECE = 64


def render_views(
    fresh: Fresh = False,
    device: Device = "auto",
    workers: Workers = 0,
    on: On = Engine.local,
    progress: ShowProgress = True,
) -> None:
    """Draw the mesh of every image from its own viewpoint and from rotated ones, in grey."""
    from genreid.render.backend import choose_renderer
    from genreid.render.views import write_options
    from stages.shared.body import open_body
    from stages.shared.data import read_manifest
    from stages.shared.drawing import open_view_maker
    from stages.shared.meshes import read_mesh
    from stages.shared.settings.render_views import RenderViewsSettings
    from stages.shared.shards import plan_shards, write_shards

    options = Options(fresh, device, workers, progress, on=on)
    with open_stage("render-views", options, RenderViewsSettings, inputs=("manifest", "mesh")) as run:
        settings = run.settings
        manifest = read_manifest(run).select(*settings.splits)
        body = open_body(run.root, manifest.info.body)
        renderer = choose_renderer(settings.backend, run.device)
        meshes = read_mesh(run, manifest, body)
        with open_view_maker(run, settings, manifest, meshes) as (draw, num_threads):
            write_shards(
                run,
                "views",
                plan_shards(len(manifest), _IMAGES_PER_PIECE, settings.images_per_shard),
                draw,
                "drawing views",
                num_threads=num_threads,
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
