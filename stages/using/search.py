"""`genreid search`: who in a gallery looks like the person in an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.options import Device
from stages.using.checkpoint import CheckpointOption
from stages.using.embed import DEFAULT_OUTPUT
from stages.using.views import Views

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from genreid.deployment.gallery import Gallery
    from stages.shared.run import Project
    from stages.using.matches import Matching


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
    views: Annotated[
        Views, typer.Option(help="How the image is looked at; auto: as the gallery was, and no other way.")
    ] = Views.auto,
    camera: Annotated[
        str | None,
        typer.Option(
            help="The image's camera, by its name in a gallery that was embedded with --camera-pattern. By "
            "default the one that its path tells.",
            show_default=False,
        ),
    ] = None,
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

        genreid search someone.jpg --gallery crops.parquet --camera c2

        genreid search someone.jpg --at-false-match-rate 0.001
    """
    from stages.shared.run import Options, Project
    from stages.using.pictures import check_picture, read_picture

    project = Project.open(Options(device=device))
    check_picture(project, picture, "search")
    query = read_picture(image)

    # These bring torch, which a wrong path need not wait for.
    from stages.using.gallery import checkpoint_of, open_gallery
    from stages.using.matches import matching_for, require_matching
    from stages.using.views import open_looker

    embedded = open_gallery(gallery)
    chosen = checkpoint_of(project, embedded, gallery, checkpoint, views)
    own_camera = _camera(embedded, gallery, image, camera)
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
        paths, similarity = embedded.nearest(rows[0], k)
    found = [(path, float(cosine)) for path, cosine in zip(paths, similarity, strict=True)]
    if cut is not None and not (found := [one for one in found if one[1] >= cut]):
        project.console.print(
            f"nobody: no image of {gallery} is as alike as {cut:.4f}, the cut of that false match rate "
            f"(the nearest, {paths[0]}, has {similarity[0]:.4f})",
            markup=False,
            soft_wrap=True,
        )
        return
    _show(project, embedded, image, own_camera, _table(found, matching))
    if matching is not None:
        project.console.print(matching.note, markup=False, soft_wrap=True)
    _draw(picture, query, embedded, gallery, found, chosen.prepared.size_px)
    project.console.print(f"picture: {picture}", markup=False)


def _show(project: Project, embedded: Gallery, image: Path, camera: str | None, table: Table) -> None:
    """Print what was found, and of which camera the mean was taken off."""
    # not as the table's title, which would be broken at the table's width
    project.console.print(f"{image} in {len(embedded.path)} images", markup=False, soft_wrap=True)
    if embedded.means is not None:
        whose = "of all images: its camera is not known" if camera is None else f"of camera {camera}"
        project.console.print(f"less the mean {whose}", markup=False, soft_wrap=True)
    project.console.print(table)


def _draw(
    picture: Path,
    query: np.ndarray,
    embedded: Gallery,
    gallery: Path,
    found: Sequence[tuple[str, float]],
    size_px: tuple[int, int],
) -> None:
    """Write the picture of the query and what was found. Raises PipelineError where that is gone."""
    from genreid.data.transforms import resize
    from genreid.deployment.boxed import read_embedded
    from genreid.deployment.pictures import search_picture
    from genreid.errors import GenreidError
    from pipeline.errors import PipelineError
    from stages.using.pictures import write_picture

    folder = embedded.info.folder
    try:
        images = [resize(read_embedded(Path(folder), path), *size_px) for path, _ in found]
    except GenreidError as error:
        what = str(error).split(": ")[:2]  # the file and what is wrong with it; the remedy is another here
        raise PipelineError(
            f"no picture: {folder} is not as it was when it was embedded ({': '.join(what)}); embed the "
            f"folder again: `genreid embed FOLDER --output {gallery}`"
        ) from error
    write_picture(picture, search_picture(resize(query, *size_px), images, [one for _, one in found]))


def _camera(embedded: Gallery, gallery: Path, image: Path, named: str | None) -> str | None:
    """The query's camera: the one that the user names, or that its path tells. Raises PipelineError."""
    from pipeline.errors import PipelineError

    if named is None:
        return embedded.camera_of(image)
    if embedded.means is None:
        raise PipelineError(
            f"--camera: {gallery} knows no cameras: leave it out, or embed the folder again: "
            f"`genreid embed {embedded.info.folder} --camera-pattern REGEX --output {gallery}`"
        )
    if named not in embedded.means.by_camera:
        known = ", ".join(embedded.means.by_camera)
        raise PipelineError(
            f"--camera: {gallery} has no camera {named}: name one of {known}, or leave it out"
        )
    return named


def _table(found: Sequence[tuple[str, float]], matching: Matching | None) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    table.add_column("rank", justify="right")
    table.add_column("similarity", justify="right")
    if matching is not None:
        table.add_column("false matches", justify="right")
    table.add_column("image")
    for rank, (path, cosine) in enumerate(found, start=1):
        odds = [] if matching is None else [matching.odds(cosine)]
        table.add_row(str(rank), f"{cosine:.4f}", *odds, escape(path))
    return table
