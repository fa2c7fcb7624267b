"""`genreid embed`: the embeddings of a folder of images, as a table."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.options import Device, ShowProgress, Workers
from stages.using.boxes import BoxesOption, boxed_tables, open_boxed
from stages.using.checkpoint import BatchSize, CheckpointOption
from stages.using.views import Views

if TYPE_CHECKING:
    import pyarrow as pa

    from genreid.deployment.boxed import BoxedFrames
    from genreid.deployment.gallery import GalleryInfo
    from genreid.deployment.looking import Looker
    from stages.shared.run import Project
    from stages.using.checkpoint import Checkpoint

DEFAULT_OUTPUT = Path("embeddings.parquet")


def embed(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder of images of persons; folders in it count too. With --boxes: frames, or a video."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The Parquet file to write.")
    ] = DEFAULT_OUTPUT,
    checkpoint: CheckpointOption = None,
    views: Annotated[
        Views,
        typer.Option(
            help="What an embedding is the mean over: the image; and its mirror image; and 7 copies, scaled "
            "and shifted a little; and 7 views of the person turned. auto: as evaluate recommends."
        ),
    ] = Views.auto,
    camera_pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Finds the camera in an image's path, as its group (?P<camera>…); the mean of each "
            "camera's images is then taken off.",
        ),
    ] = None,
    boxes: BoxesOption = None,
    batch_size: BatchSize = 128,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
) -> None:
    """Embed every image of a folder: a Parquet file with one row an image, for `genreid search` and others.

    Columns: path (relative to the folder), status (ok or unreadable), detail, height, width, camera, views
    (how many pictures the embedding is the mean of) and embedding, of length 1: compare two by their dot
    product. An image that cannot be read is a row without one. With --boxes there is a row for every box of
    a detector or tracker, with the columns frame, box, score and track besides.

    Examples:

        genreid embed crops/

        genreid embed crops/ --output crops.parquet --checkpoint encoder

        genreid embed crops/ --views turned --camera-pattern '^(?P<camera>[^_]+)_'

        genreid embed MOT17-02/img1/ --boxes MOT17-02/det/det.txt --output boxes.parquet
    """
    from pipeline.outputs import holds
    from stages.shared.run import Options, Project
    from stages.using.checkpoint import open_checkpoint
    from stages.using.pictures import check_output
    from stages.using.views import open_looker, way_for

    project = Project.open(Options(device=device, workers=workers, progress=progress))
    check_output(project, output, "embed", holds(b"genreid.embeddings"))
    names = _names(folder, camera_pattern, project, boxes)
    chosen = open_checkpoint(project, checkpoint)
    looker = open_looker(project, chosen, way_for(project, chosen, views))
    info = _info(folder, chosen, looker)
    begin = time.monotonic()
    counted = _write(output, _tables(project, looker, names, info, batch_size, camera_pattern))
    made = {
        "views": looker.way,
        "milliseconds an image": 1e3 * (time.monotonic() - begin) / len(names),
        "embedding width": info.embedding_dim,
        "image size": chosen.prepared.size,
        "written to": output,
    }
    project.show("Embeddings", {**counted, **made})


def embedded_folder(
    project: Project,
    folder: Path,
    chosen: Checkpoint,
    views: Views,
    camera_pattern: str | None,
    batch_size: int,
) -> pa.Table:
    """The table that the command writes, for one that needs all of it at once."""
    from stages.using.views import open_looker, way_for

    names = _names(folder, camera_pattern, project)
    looker = open_looker(project, chosen, way_for(project, chosen, views))
    info = _info(folder, chosen, looker)
    return _joined(_tables(project, looker, names, info, batch_size, camera_pattern))


def _names(
    folder: Path, camera_pattern: str | None, project: Project, boxes: Path | None = None
) -> list[str] | BoxedFrames:
    """The images of the folder, or the boxes of its frames. Raises GenreidError where there are none, or the
    pattern is no pattern."""
    from genreid.deployment.cameras import check_pattern
    from genreid.deployment.gallery import list_images

    if camera_pattern is not None:
        check_pattern(camera_pattern)
    return list_images(folder) if boxes is None else open_boxed(project, folder, boxes)


def _info(folder: Path, chosen: Checkpoint, looker: Looker) -> GalleryInfo:
    from genreid.deployment.gallery import GalleryInfo

    return GalleryInfo(
        folder=str((folder if folder.is_dir() else folder.parent).resolve()),  # a video's
        checkpoint=str(chosen.path),
        fingerprint=chosen.fingerprint,
        height_px=chosen.prepared.height_px,
        width_px=chosen.prepared.width_px,
        embedding_dim=looker.encoder.embedding_dim,
        views=looker.way,
    )


def _tables(
    project: Project,
    looker: Looker,
    names: list[str] | BoxedFrames,
    info: GalleryInfo,
    batch_size: int,
    camera_pattern: str | None,
) -> Iterator[pa.Table]:
    """The rows, while the images are embedded; less the means of their cameras where these can be told."""
    from genreid.deployment.gallery import embed_folder, without_camera_means
    from pipeline.tracking import Bars

    if isinstance(names, list):
        tables = embed_folder(looker, names, info, batch_size=batch_size, num_threads=project.workers)
    else:
        tables = boxed_tables(project, looker, names, info, batch_size)
    tracked = Bars(show=project.options.progress).track(tables, "embedding", len(names), size=len)
    if camera_pattern is None:
        return tracked
    # Means are known when all images are: the embeddings have to fit into memory.
    return iter([without_camera_means(_joined(tracked), camera_pattern)])


def _joined(tables: Iterator[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables)


def _write(output: Path, tables: Iterator[pa.Table]) -> dict[str, int]:
    """One after another; how many images there are, how many are embedded and with how many pictures."""
    import pyarrow.compute as pc

    from pipeline.artifacts import table_writer

    counted = {"images": 0, "embedded": 0, "embedded alone": 0, "unreadable": 0}
    first = next(tables)  # a folder without images is refused
    with table_writer(output, first.schema) as writer:
        for table in itertools.chain([first], tables):
            writer.write_table(table)
            counted["images"] += table.num_rows
            counted["embedded"] += table.num_rows - table["embedding"].null_count
            counted["embedded alone"] += pc.sum(pc.equal(table["views"], 1)).as_py() or 0
            for status, num in Counter(table["status"].to_pylist()).items():
                if status != "ok":
                    counted[status] = counted.get(status, 0) + num
    return counted
