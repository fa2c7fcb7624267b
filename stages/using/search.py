"""`genreid search`: who in a gallery looks like the person in an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import PipelineError
from stages.shared.options import Device
from stages.using.checkpoint import CheckpointOption
from stages.using.options import DEFAULT_OUTPUT, After, Before, Cameras, GalleryPlace, where_of
from stages.using.views import Views

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from genreid.deployment.gallery_table import Found, Searchable
    from genreid.deployment.where import Where
    from stages.shared.run import Project
    from stages.using.matches import Matching


def search(
    image: Annotated[Path, typer.Argument(help="An image of one person.")],
    gallery: GalleryPlace = DEFAULT_OUTPUT,
    k: Annotated[int, typer.Option("-k", min=1, help="How many images to find.")] = 10,
    picture: Annotated[
        Path, typer.Option("--picture", "-p", help="The picture of them to write (.png or .jpg).")
    ] = Path("search.png"),
    checkpoint: CheckpointOption = None,
    views: Annotated[
        Views, typer.Option(help="How the image is looked at; auto: as the gallery was, and no other way.")
    ] = Views.auto,
    camera: Cameras = None,
    after: After = None,
    before: Before = None,
    query_camera: Annotated[
        str | None,
        typer.Option(
            help="The image's own camera, for a gallery without the means of its cameras. By default the one "
            "that its path tells.",
            show_default=False,
        ),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Look at every image, also where a database has an index.")
    ] = False,
    at_false_match_rate: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Find only images that are so alike that of pairs of different persons no larger share is.",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Find the images of a gallery that are most like one image: a list, and a picture of them.

    Beside each similarity stands how often different persons are as alike: as `evaluate` has measured it on
    validation identities, or as training has estimated it without any.

    The image is embedded by the checkpoint that embedded the gallery, and looked at in the same way. Where
    the gallery is without the means of its cameras, so is the image: that of its own camera, or of all images
    where that is not known.

    Examples:

        genreid search crops/0001.png

        genreid search someone.jpg --gallery crops.parquet -k 20 --picture found.png

        genreid search someone.jpg --gallery lance:gallery --camera c2 --camera c3 --after 2024-01-31

        genreid search someone.jpg --at-false-match-rate 0.001
    """
    from stages.shared.run import Options, Project
    from stages.using.pictures import check_picture, read_picture

    project = Project.open(Options(device=device))
    check_picture(project, picture, "search")
    where = where_of(camera, after, before)
    query = read_picture(image)

    # These bring torch, which a wrong path need not wait for.
    from stages.using.gallery import checkpoint_of
    from stages.using.matches import matching_for, require_matching
    from stages.using.stores import store_at
    from stages.using.views import open_looker

    store = store_at(gallery)
    embedded = store.open(exact=exact)
    if not (num := embedded.count(where)):
        raise _none_there(gallery, where)
    chosen = checkpoint_of(project, embedded, gallery, checkpoint, views)
    own_camera = _camera(embedded, gallery, image, query_camera)
    matching = matching_for(project, chosen, embedded.info.views, centred=embedded.means is not None)
    cut = None
    if at_false_match_rate is not None:
        matching = require_matching(matching, chosen, embedded.info.views)
        cut = matching.curve.cut_at(at_false_match_rate)
    looker = open_looker(project, chosen, embedded.info.views)
    with project.console.status("searching"):
        rows, _ = looker.embed([embedded.name_of(image)], [query])
        if embedded.means is not None:
            rows = embedded.means.take_off(rows, [own_camera])
        nearest = embedded.nearest(rows[0], k, where)
    found = [one for one in nearest if cut is None or one.similarity >= cut]
    if not found:
        project.console.print(
            f"nobody: no image of {gallery} is as alike as {cut:.4f}, the cut of that false match rate "
            f"(the nearest, {nearest[0].path}, has {nearest[0].similarity:.4f})",
            markup=False,
            soft_wrap=True,
        )
        return
    project.console.print(_searched(image, num, where), markup=False, soft_wrap=True)
    _show(project, embedded, own_camera, _table(found, matching))
    if matching is not None:
        project.console.print(matching.note, markup=False, soft_wrap=True)
    if not exact and (index := store.index()):
        project.console.print(f"{index}; --exact looks at every image", markup=False, soft_wrap=True)
    _draw(picture, query, embedded, gallery, found, chosen.prepared.size_px)
    project.console.print(f"picture: {picture}", markup=False)


def _none_there(gallery: Path, where: Where) -> PipelineError:
    if where:
        return PipelineError(f"{gallery} has no readable image with {where}: ask for others")
    return PipelineError(
        f"{gallery} holds no readable image; embed some: `genreid embed FOLDER --to {gallery}`"
    )


def _searched(image: Path, num: int, where: Where) -> str:
    # not as the table's title, which would be broken at the table's width
    return f"{image} in {num} images" + (f" ({where})" if where else "")


def _show(project: Project, embedded: Searchable, camera: str | None, table: Table) -> None:
    """Print what was found, and of which camera the mean was taken off."""
    if embedded.means is not None:
        whose = "of all images: its camera is not known" if camera is None else f"of camera {camera}"
        project.console.print(f"less the mean {whose}", markup=False, soft_wrap=True)
    project.console.print(table)


def _draw(
    picture: Path,
    query: np.ndarray,
    embedded: Searchable,
    gallery: Path,
    found: Sequence[Found],
    size_px: tuple[int, int],
) -> None:
    """Write the picture of the query and what was found. Raises PipelineError where that is gone."""
    from genreid.data.transforms import resize
    from genreid.deployment.boxed import read_embedded
    from genreid.deployment.pictures import search_picture
    from genreid.errors import GenreidError
    from stages.using.pictures import write_picture

    folder = embedded.info.folder
    try:
        images = [resize(read_embedded(Path(folder), one.path), *size_px) for one in found]
    except GenreidError as error:
        what = str(error).split(": ")[:2]  # the file and what is wrong with it; the remedy is another here
        raise PipelineError(
            f"no picture: {folder} is not as it was when it was embedded ({': '.join(what)}); embed the "
            f"folder again: `genreid embed FOLDER --to {gallery}`"
        ) from error
    write_picture(picture, search_picture(resize(query, *size_px), images, [one.similarity for one in found]))


def _camera(embedded: Searchable, gallery: Path, image: Path, named: str | None) -> str | None:
    """The query's camera: the one that the user names, or that its path tells. Raises PipelineError."""
    if named is None:
        return embedded.camera_of(image)
    if embedded.means is None:
        raise PipelineError(
            f"--query-camera: {gallery} is not without the means of cameras: leave it out, or embed "
            "the folder again: "
            f"`genreid embed {embedded.info.folder} --camera-pattern REGEX --output {gallery}`"
        )
    if named not in embedded.means.by_camera:
        known = ", ".join(embedded.means.by_camera)
        raise PipelineError(
            f"--query-camera: {gallery} has no camera {named}: name one of {known}, or leave it out"
        )
    return named


def _table(found: Sequence[Found], matching: Matching | None) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    table.add_column("rank", justify="right")
    table.add_column("similarity", justify="right")
    if matching is not None:
        table.add_column("false matches", justify="right")
    table.add_column("image")
    for rank, one in enumerate(found, start=1):
        odds = [] if matching is None else [matching.odds(one.similarity)]
        table.add_row(str(rank), f"{one.similarity:.4f}", *odds, escape(one.path))
    return table
