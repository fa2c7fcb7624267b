"""`genreid search`: who in a gallery looks like the person in an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.options import Device
from stages.using.checkpoint import CheckpointOption
from stages.using.embed import DEFAULT_OUTPUT

if TYPE_CHECKING:
    from rich.table import Table


def search(
    image: Annotated[Path, typer.Argument(help="An image of one person.")],
    gallery: Annotated[
        Path, typer.Option("--gallery", "-g", help="A table that `genreid embed` wrote.")
    ] = DEFAULT_OUTPUT,
    k: Annotated[int, typer.Option("-k", min=1, help="How many images to find.")] = 10,
    picture: Annotated[
        Path, typer.Option("--picture", "-p", help="The picture of them to write (.png or .jpg).")
    ] = Path("search.png"),
    checkpoint: CheckpointOption = None,
    device: Device = "auto",
) -> None:
    """Find the images of a gallery that are most like one image: a list, and a picture of them.

    The image is embedded by the checkpoint that embedded the gallery.

    Examples:

        genreid search crops/0001.png

        genreid search someone.jpg --gallery crops.parquet -k 20 --picture found.png
    """
    from stages.shared.run import Options, Project
    from stages.using.checkpoint import open_checkpoint
    from stages.using.pictures import check_picture_name, read_picture, write_picture

    check_picture_name(picture)
    project = Project.open(Options(device=device))

    from genreid.data.images import read_image
    from genreid.data.transforms import resize
    from genreid.deployment.gallery import Gallery, embed_image
    from genreid.deployment.pictures import search_picture
    from genreid.errors import GenreidError
    from genreid.models.checkpoint import load_encoder
    from pipeline.artifacts import read_table
    from pipeline.errors import PipelineError

    query = read_picture(image)
    embedded = Gallery.from_table(
        read_table(gallery, "make it by `genreid embed FOLDER`, or name another by --gallery"), str(gallery)
    )
    info = embedded.info
    chosen = open_checkpoint(project, checkpoint or info.checkpoint)
    if chosen.fingerprint != info.fingerprint:
        raise PipelineError(
            f"{gallery} was embedded by other weights than {chosen.place} holds now; embed the folder again: "
            f"`genreid embed {info.folder} --output {gallery}`"
        )
    encoder = load_encoder(chosen.content, chosen.place).to(project.device)
    size = info.height_px, info.width_px
    with project.console.status("searching"):
        paths, similarity = embedded.nearest(embed_image(encoder, query, *size, project.device), k)

    # not as the table's title, which would be broken at the table's width
    project.console.print(f"{image} in {len(embedded.path)} images", markup=False, soft_wrap=True)
    project.console.print(_table(paths, similarity.tolist()))
    try:
        found = [resize(read_image(Path(info.folder) / path), *size) for path in paths]
    except GenreidError as error:
        what = str(error).split(": ")[:2]  # the file and what is wrong with it; the remedy is another here
        raise PipelineError(
            f"no picture: {info.folder} is not as it was when it was embedded ({': '.join(what)}); embed the "
            f"folder again: `genreid embed FOLDER --output {gallery}`"
        ) from error
    write_picture(picture, search_picture(resize(query, *size), found, similarity.tolist()))
    project.console.print(f"picture: {picture}", markup=False)


def _table(paths: Sequence[str], similarity: Sequence[float]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    table.add_column("rank", justify="right")
    table.add_column("similarity", justify="right")
    table.add_column("image")
    for rank, (path, cosine) in enumerate(zip(paths, similarity, strict=True), start=1):
        table.add_row(str(rank), f"{cosine:.4f}", escape(path))
    return table
