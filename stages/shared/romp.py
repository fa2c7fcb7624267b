"""ROMP's files where params.yaml says, and a mesh for images in which it finds nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from genreid.errors import GenreidError
from genreid.mesh.fallback import fill_missing, mean_body
from genreid.mesh.romp import check_files
from genreid.mesh.settings import RompSettings
from genreid.mesh.shards import mesh_table, read_mesh_table
from pipeline.artifacts import hash_path
from pipeline.errors import PipelineError
from pipeline.params import section
from stages.shared.paths import project_path
from stages.shared.run import Project, StageRun


def romp_settings(run: Project) -> RompSettings:
    """What params.yaml says of ROMP, with the files' real places, there or not. Raises PipelineError."""
    settings = section(run.params, "mesh_extract.romp", RompSettings)
    weights, smpl = (str(project_path(run.root, file)) for file in (settings.weights, settings.smpl))
    return replace(settings, weights=weights, smpl=smpl)


def hold_files(run: StageRun) -> None:
    """See to it that an interrupted run goes on with the files it began with.

    Raises GenreidError where one is missing, and PipelineError.
    """
    settings = romp_settings(run)
    check_files(settings)
    hashes = {"weights": hash_path(Path(settings.weights)), "smpl": hash_path(Path(settings.smpl))}
    if run.state.keep("romp", lambda: hashes) != hashes:
        raise PipelineError(
            f"ROMP's files changed since {run.stage} was interrupted: start again with `genreid {run.stage} "
            "--fresh`"
        )
    run.facts["romp"] = hashes


def finish_with(
    settings: RompSettings, estimator: str, body_fingerprint: str
) -> Callable[[Iterator[pa.Table]], Callable[[pa.Table], pa.Table]]:
    """The last step for the shards' tables, once all pieces are known; see `write_shards`.

    Raises GenreidError where nobody was found in any image.
    """

    def finish(pieces: Iterator[pa.Table]) -> Callable[[pa.Table], pa.Table]:
        num_images = 0

        def counted() -> Iterator[pa.Table]:
            nonlocal num_images
            for piece in pieces:
                num_images += piece.num_rows
                yield piece

        mean = mean_body(read_mesh_table(piece, body_fingerprint)[1] for piece in counted())
        if mean is None:
            raise GenreidError(
                f"romp found nobody in any of {num_images} images: lower mesh_extract.romp.center_threshold "
                "and small_crop_threshold, and see whether the images show persons"
            )

        def change(table: pa.Table) -> pa.Table:
            if settings.fallback == "drop":
                return table
            ids, found = read_mesh_table(table, body_fingerprint)
            return mesh_table(ids, fill_missing(found, mean), estimator, body_fingerprint)

        return change

    return finish
