"""The queries of `evaluate`, their bodies and the views of these, or why there are none to judge."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa

from genreid.errors import GenreidError
from genreid.evaluation.bodies import Bodies, PairBodies
from genreid.evaluation.generation import ViewedImages
from genreid.evaluation.retrieval import Pair, Part
from genreid.evaluation.true_views import true_views
from pipeline.errors import PipelineError
from stages.shared.body import open_body
from stages.shared.run import PRODUCERS, StageRun
from stages.shared.views import open_views
from stages.shared.warped import warped_meshes


def pair_bodies(run: StageRun, pair: Pair, *, required: bool) -> PairBodies | str:
    """The bodies of queries and gallery; the reason in one line where those of the queries are not known.

    required: whether views cannot be made without. Raises GenreidError then where a query has no row, and
    PipelineError where meshes are damaged.
    """
    if not run.has("mesh"):
        return _missing(run, "mesh")
    try:
        queries = _bodies(run, pair.queries)
    except GenreidError as error:
        if required:
            raise
        return str(error)
    gallery = None
    with suppress(GenreidError):  # mesh_extract.splits may leave it out
        gallery = _bodies(run, pair.gallery)
    return PairBodies(queries, gallery)


def _bodies(run: StageRun, part: Part) -> Bodies:
    manifest = part.manifest
    return Bodies.of(*warped_meshes(run, manifest, part.images), manifest.height, manifest.width)


def viewed_queries(
    run: StageRun, queries: Part, truth: pa.Table, bodies: Bodies | str | None
) -> ViewedImages | str:
    """The queries and what is drawn of them; the reason in one line where nothing is.

    truth: without rows where none is known. bodies: those of the queries, or why they are not known, for a
    generator that is shown warped views, else None. Raises GenreidError and PipelineError where views are
    damaged.
    """
    if not run.has("views"):
        return _missing(run, "views")
    if isinstance(bodies, str):
        return bodies
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
    persons = None if bodies is None else bodies.persons
    return ViewedImages(queries.images, store, true_view, persons=persons)


def _missing(run: StageRun, key: str) -> str:
    return f"{getattr(run.paths, key)} is missing: run `dvc repro {PRODUCERS[key]}`"
