"""The views of a piece of the images, drawn by whichever worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import torch

from genreid.body.body import Body, BodyParameters, load_body
from genreid.data.manifest import Manifest
from genreid.mesh.shards import MeshEstimates
from genreid.render.backend import Renderer, choose_renderer
from genreid.render.views import render_views, view_table
from stages.shared.body import body_source
from stages.shared.engine import open_workers
from stages.shared.run import Project
from stages.shared.settings.render_views import RenderViewsSettings
from stages.shared.shards import MakeTable


@contextmanager
def open_view_maker(
    run: Project, settings: RenderViewsSettings, manifest: Manifest, meshes: MeshEstimates
) -> Iterator[tuple[MakeTable, int]]:
    """What draws the views of the images at some positions that have a mesh, and from how many threads it is
    to be called. A piece takes its own meshes along: those of all images may be more than a node holds."""
    start = settings, body_source(run.root, manifest.info.body), str(run.device)
    with open_workers(run, _start_worker, *start, here=run.workers) as workers:

        def draw(piece: range) -> pa.Table:
            index = np.array([image for image in piece if meshes.valid[image]], np.int64)
            drawn = meshes.select(index)
            ids = [manifest.image_id[image] for image in index]
            size = manifest.height[index], manifest.width[index]
            return workers.call(_draw, ids, drawn.parameters, drawn.camera, *size)

        yield draw, workers.num_calls


# What follows runs in the workers.

_yaws_deg: Sequence[int] = ()
_body: Body | None = None
_renderer: Renderer | None = None


def _start_worker(settings: RenderViewsSettings, body: str, device: str) -> None:
    global _yaws_deg, _body, _renderer
    _yaws_deg, _body = settings.yaws_deg, load_body(body)
    _renderer = choose_renderer(settings.backend, torch.device(device))


def _draw(
    ids: list[str], parameters: BodyParameters, camera: torch.Tensor, height: np.ndarray, width: np.ndarray
) -> pa.Table:
    assert _body is not None and _renderer is not None, "_start_worker ran first"
    views = render_views(_body, parameters, camera, height, width, _yaws_deg, _renderer)
    return view_table(zip(ids, views, strict=True), _yaws_deg, _body.fingerprint)
