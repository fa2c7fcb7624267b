"""The queries of `evaluate` with the views of their meshes, or why there are none to judge."""

from __future__ import annotations

import pyarrow as pa

from genreid.evaluation.generation import ViewedImages
from genreid.evaluation.retrieval import Part
from genreid.evaluation.true_views import true_views
from pipeline.errors import PipelineError
from stages.shared.body import open_body
from stages.shared.run import PRODUCERS, StageRun
from stages.shared.views import open_views
from stages.shared.warped import warped_images


def viewed_queries(run: StageRun, queries: Part, truth: pa.Table, *, repairs: bool) -> ViewedImages | str:
    """The queries and what is drawn of them; the reason in one line where nothing is.

    truth: without rows where none is known. repairs: whether the generator is shown warped views, which
    meshes are needed for. Raises GenreidError and PipelineError where views or meshes are damaged.
    """
    for key in ("views", *(["mesh"] if repairs else [])):
        if not run.has(key):
            return f"{getattr(run.paths, key)} is missing: run `dvc repro {PRODUCERS[key]}`"
    if not run.parts("views"):
        raise PipelineError(f"{run.paths.views} holds no shard; {run.remedy('views')}")
    store = open_views(run)
    if not any(image_id in store for image_id in queries.images.image_id):
        (split,) = set(queries.manifest.split)
        return (
            f"none of {len(queries.images)} queries has a view in {run.paths.views}: for them, "
            f"render_views.splits needs {split}, and mesh-extract has to find their bodies"
        )
    true_view = true_views(truth, open_body(run.root, queries.manifest.info.body)) if truth.num_rows else None
    persons = warped_images(run, queries.manifest, queries.images) if repairs else None
    return ViewedImages(queries.images, store, true_view, persons=persons)
