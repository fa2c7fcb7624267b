"""The queries of `evaluate`, their bodies and the views of these, or why there are none to judge."""

from __future__ import annotations

import pyarrow as pa

from genreid.evaluation.bodies import Bodies, PairBodies
from genreid.evaluation.generation import ViewedImages
from genreid.evaluation.retrieval import Pair, Part
from genreid.evaluation.true_views import true_views
from genreid.mesh.shards import estimates_of
from pipeline.errors import PipelineError
from stages.shared.body import open_body
from stages.shared.meshes import read_mesh_rows
from stages.shared.run import PRODUCERS, StageRun
from stages.shared.views import open_views
from stages.shared.warped import warped_persons


def pair_bodies(run: StageRun, pair: Pair) -> PairBodies | str:
    """The bodies of queries and gallery; the reason in one line where those of the queries are not known.

    Raises GenreidError and PipelineError where meshes are damaged.
    """
    if not run.has("mesh"):
        return _missing(run, "mesh")
    table = read_mesh_rows(run)
    rows = set(table["image_id"].to_pylist())
    if lacking := [image_id for image_id in pair.queries.images.image_id if image_id not in rows]:
        (split,) = set(pair.queries.manifest.split)
        return (
            f"{run.paths.mesh} lacks {len(lacking)} queries ({lacking[0]}, …): for them, "
            f"mesh_extract.splits needs {split}"
        )
    gallery = rows.issuperset(pair.gallery.images.image_id)
    return PairBodies(
        _bodies(run, pair.queries, table), _bodies(run, pair.gallery, table) if gallery else None
    )


def _bodies(run: StageRun, part: Part, table: pa.Table) -> Bodies:
    manifest = part.manifest
    fingerprint = open_body(run.root, manifest.info.body).fingerprint
    meshes = estimates_of(manifest.image_id, table, fingerprint, run.paths.mesh)
    persons = warped_persons(run, manifest, part.images, meshes)
    return Bodies.of(persons, meshes, manifest.height, manifest.width)


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
