"""`genreid embed`: the embeddings of a folder of images, as a table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.options import Device, Engine, On, ShowProgress, Workers
from stages.using.boxes import BoxesOption, boxed_tables, open_boxed
from stages.using.checkpoint import BatchSize, CheckpointOption
from stages.using.options import DEFAULT_OUTPUT, INDEX_FROM, CameraPattern, TimePattern
from stages.using.views import Views

if TYPE_CHECKING:
    import pyarrow as pa

    from genreid.deployment.boxed import BoxedFrames
    from genreid.deployment.gallery_table import GalleryInfo
    from genreid.deployment.looking import Looker
    from genreid.deployment.patterns import Told
    from stages.shared.run import Project
    from stages.using.checkpoint import Checkpoint


def embed(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder of images of persons; folders in it count too. With --boxes: frames, or a video."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "--to",
            "-o",
            help="The Parquet file to write, or lance:FOLDER: the LanceDB database to add to.",
        ),
    ] = DEFAULT_OUTPUT,
    checkpoint: CheckpointOption = None,
    views: Annotated[
        Views,
        typer.Option(
            help="What an embedding is the mean over: the image; and its mirror image; and 7 copies, scaled "
            "and shifted a little; and 7 views of the person turned. auto: as evaluate recommends."
        ),
    ] = Views.auto,
    camera_pattern: CameraPattern = None,
    time_pattern: TimePattern = None,
    index_from: Annotated[
        int,
        typer.Option(min=256, help="Images from which on a database gets an approximate index."),
    ] = INDEX_FROM,
    boxes: BoxesOption = None,
    batch_size: BatchSize = 128,
    device: Device = "auto",
    workers: Workers = 0,
    on: On = Engine.local,
    progress: ShowProgress = True,
) -> None:
    """Embed every image of a folder: a Parquet file with one row an image, for `genreid search` and others.

    Columns: path (relative to the folder), status (ok or unreadable), detail, height, width, camera, time,
    views (how many pictures the embedding is the mean of) and embedding, of length 1: compare two by their
    dot product. An image that cannot be read is a row without one. With --boxes there is a row for every
    box of a detector or tracker, with the columns frame, box, score and track besides.

    To a database (lance:FOLDER, with the extra `lance`) the images are added, all at once when all are
    embedded; those that are there are updated. `genreid gallery` shows what is in it, and deletes.

    Examples:

        genreid embed crops/

        genreid embed crops/ --output crops.parquet --checkpoint encoder

        genreid embed crops/ --views turned --camera-pattern '^(?P<camera>[^_]+)_'

        genreid embed crops/ --to lance:gallery --time-pattern '_(?P<time>[0-9]{10})'

        genreid embed MOT17-02/img1/ --boxes MOT17-02/det/det.txt --output boxes.parquet
    """
    from pipeline.errors import PipelineError
    from stages.shared.run import Options, Project
    from stages.using.checkpoint import open_checkpoint
    from stages.using.stores import store_at
    from stages.using.views import open_looker, way_for

    project = Project.open(Options(device=device, workers=workers, progress=progress, on=on))
    store = store_at(output)
    if boxes is not None and not store.takes_boxes:
        raise PipelineError(f"--boxes: {output} holds images and no boxes; write them to a Parquet file")
    if boxes is not None and on == Engine.ray:
        raise PipelineError("--boxes: boxes are embedded by this machine alone; leave --on ray out")
    store.check(project)
    told = _told(camera_pattern, time_pattern)
    names = _names(folder, told) if boxes is None else open_boxed(project, folder, boxes)
    chosen = open_checkpoint(project, checkpoint)
    looker = open_looker(project, chosen, way_for(project, chosen, views))
    info = _info(folder, chosen, looker)
    store.check_info(info)
    begin = time.monotonic()
    counted = _Counted()
    if on == Engine.ray:
        from stages.using.embedding import embed_by_workers

        assert isinstance(names, list), "refused above"
        made_of = embed_by_workers(project, chosen, names, info, told, batch_size)
    else:
        made_of = _embedded(project, looker, names, info, told, batch_size)
    tables = _shown(project, made_of, len(names), told, centred=store.is_centred)
    kept = store.write(counted.each(tables), index_from)
    made = {
        "views": looker.way,
        "milliseconds an image": 1e3 * (time.monotonic() - begin) / len(names),
        "embedding width": info.embedding_dim,
        "image size": chosen.prepared.size,
        "written to": store.place,
    }
    project.show("Embeddings", {**counted.facts, **made, **kept})


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

    told = _told(camera_pattern, None)
    names = _names(folder, told)
    looker = open_looker(project, chosen, way_for(project, chosen, views))
    info = _info(folder, chosen, looker)
    made = _embedded(project, looker, names, info, told, batch_size)
    return _joined(_shown(project, made, len(names), told, centred=True))


def _told(camera_pattern: str | None, time_pattern: str | None) -> Told:
    """Raises GenreidError where a pattern is none."""
    from genreid.deployment.patterns import Told

    return Told(camera_pattern, time_pattern)


def _names(folder: Path, told: Told) -> list[str]:
    """The images of the folder. Raises GenreidError where there are none, and where their names tell nothing
    of what a pattern asks for."""
    from genreid.deployment.gallery import list_images

    names = list_images(folder)
    told.require_found(names)
    return names


def _info(folder: Path, chosen: Checkpoint, looker: Looker) -> GalleryInfo:
    from genreid.deployment.gallery_table import GalleryInfo

    return GalleryInfo(
        folder=str((folder if folder.is_dir() else folder.parent).resolve()),  # a video's
        checkpoint=str(chosen.path),
        fingerprint=chosen.fingerprint,
        height_px=chosen.prepared.height_px,
        width_px=chosen.prepared.width_px,
        embedding_dim=looker.encoder.embedding_dim,
        views=looker.way,
    )


def _embedded(
    project: Project,
    looker: Looker,
    names: list[str] | BoxedFrames,
    info: GalleryInfo,
    told: Told,
    batch_size: int,
) -> Iterator[pa.Table]:
    """The rows, in this process."""
    from genreid.deployment.gallery import embed_folder

    if isinstance(names, list):
        return embed_folder(looker, names, info, told, batch_size=batch_size, num_threads=project.workers)
    return boxed_tables(project, looker, names, info, told, batch_size)


def _shown(
    project: Project, tables: Iterator[pa.Table], num: int, told: Told, *, centred: bool
) -> Iterator[pa.Table]:
    """The same rows, while they are made; `centred`: less the means of their cameras where these are told."""
    from genreid.deployment.gallery import without_camera_means
    from pipeline.tracking import Bars

    tracked = Bars(show=project.options.progress).track(tables, "embedding", num, size=len)
    if told.camera is None or not centred:
        return tracked
    # Means are known when all images are: the embeddings have to fit into memory.
    return iter([without_camera_means(_joined(tracked), told.camera)])


def _joined(tables: Iterator[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables)


class _Counted:
    """How many images there are, how many are embedded and with how many pictures."""

    def __init__(self) -> None:
        self.facts = {"images": 0, "embedded": 0, "embedded alone": 0, "unreadable": 0}

    def each(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """The same tables, counted on the way."""
        import pyarrow.compute as pc

        for table in tables:
            self.facts["images"] += table.num_rows
            self.facts["embedded"] += table.num_rows - table["embedding"].null_count
            self.facts["embedded alone"] += pc.sum(pc.equal(table["views"], 1)).as_py() or 0
            for status, num in Counter(table["status"].to_pylist()).items():
                if status != "ok":
                    self.facts[status] = self.facts.get(status, 0) + num
            yield table
