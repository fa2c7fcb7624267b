"""A mesh for images in which an estimator of photographs finds nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from genreid.errors import GenreidError
from genreid.mesh.fallback import fill_missing, mean_body
from genreid.mesh.settings import Fallback
from genreid.mesh.shards import mesh_table, read_mesh_table


def finish_with(
    fallback: Fallback, estimator: str, body_fingerprint: str, remedy: str
) -> Callable[[Iterator[pa.Table]], Callable[[pa.Table], pa.Table]]:
    """The last step for the shards' tables, once all pieces are known; see `write_shards`.

    Raises GenreidError, with the `remedy`, where nobody was found in any image.
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
                f"{estimator} found nobody in any of {num_images} images: {remedy}, and see whether the "
                "images show persons"
            )

        def change(table: pa.Table) -> pa.Table:
            if fallback == "drop":
                return table
            ids, found = read_mesh_table(table, body_fingerprint)
            return mesh_table(ids, fill_missing(found, mean), estimator, body_fingerprint)

        return change

    return finish
