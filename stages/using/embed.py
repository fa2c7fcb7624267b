"""`genreid embed`: the embeddings of a folder of images, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stages.shared.options import Device, ShowProgress, Workers
from stages.using.checkpoint import BatchSize, CheckpointOption

DEFAULT_OUTPUT = Path("embeddings.parquet")


def embed(
    folder: Annotated[Path, typer.Argument(help="A folder of images of persons; folders in it count too.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The Parquet file to write.")
    ] = DEFAULT_OUTPUT,
    checkpoint: CheckpointOption = None,
    batch_size: BatchSize = 128,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
) -> None:
    """Embed every image of a folder: a Parquet file with one row an image, for `genreid search` and others.

    Columns: path (relative to the folder), status (ok or unreadable), detail, height, width, and embedding,
    of length 1: compare two by their dot product. An image that cannot be read is a row without one.

    Examples:

        genreid embed crops/

        genreid embed crops/ --output crops.parquet --checkpoint encoder
    """
    from stages.shared.run import Options, Project
    from stages.using.checkpoint import open_checkpoint, training_size
    from stages.using.pictures import check_output

    check_output(output)
    project = Project.open(Options(device=device, workers=workers, progress=progress))

    import pyarrow.parquet as pq

    from genreid.deployment.gallery import GalleryInfo, embed_folder, gallery_schema, list_images
    from genreid.models.checkpoint import load_encoder
    from pipeline.artifacts import atomic_write
    from pipeline.tracking import Bars

    names = list_images(folder)
    height_px, width_px = training_size(project)
    chosen = open_checkpoint(project, checkpoint)
    encoder = load_encoder(chosen.content, chosen.place).to(project.device)
    info = GalleryInfo(
        folder=str(folder.resolve()),
        checkpoint=str(chosen.path),
        fingerprint=chosen.fingerprint,
        height_px=height_px,
        width_px=width_px,
        embedding_dim=encoder.embedding_dim,
    )
    tables = embed_folder(
        encoder,
        names,
        info,
        batch_size=batch_size,
        num_threads=project.workers,
        device=project.device,
    )
    num_embedded = 0
    with (
        atomic_write(output) as temporary,
        pq.ParquetWriter(temporary, gallery_schema(info), compression="zstd") as writer,
    ):
        for table in Bars(show=progress).track(tables, "embedding", len(names), size=len):
            writer.write_table(table)
            num_embedded += table.num_rows - table["embedding"].null_count
    figures = {"images": len(names), "embedded": num_embedded, "unreadable": len(names) - num_embedded}
    size = f"{height_px} × {width_px}"
    made = {"embedding width": info.embedding_dim, "image size": size, "written to": output}
    project.show("Embeddings", figures | made)
