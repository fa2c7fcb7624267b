"""`genreid gallery`: what is in a gallery, and images taken out of a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.using.options import DEFAULT_OUTPUT, After, Before, Cameras, where_of

if TYPE_CHECKING:
    import pyarrow as pa

gallery = typer.Typer(help="What `genreid embed` wrote: show what is in it, delete images of a database.")

_Place = Annotated[Path, typer.Argument(help="A Parquet file that `genreid embed` wrote, or lance:FOLDER.")]
_MOST_NAMES = 8


@gallery.command()
def show(place: _Place = DEFAULT_OUTPUT) -> None:
    """Show what is in a gallery: images, cameras, times, by whom it was embedded, how it is searched.

    Examples:

        genreid gallery show

        genreid gallery show lance:gallery
    """
    from stages.shared.run import Options, Project
    from stages.using.stores import store_at

    project, store = Project.open(Options()), store_at(place)
    embedded = store.open()
    info = embedded.info
    facts = {
        "readable images": embedded.count(),
        **_labels(embedded.labels_of_all()),
        "folder": info.folder,
        "checkpoint": f"{info.checkpoint} ({info.fingerprint[:12]})",
        "views": info.views,
        "image size": f"{info.height_px} × {info.width_px}",
        "embedding width": info.embedding_dim,
        "without the means of cameras": "no" if embedded.means is None else "yes",
        "searches": store.index() or "exact",
    }
    project.show(store.place, facts)


@gallery.command()
def delete(
    place: Annotated[Path, typer.Argument(help="The database: lance:FOLDER.")],
    path: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN", help="Images of this path, whole; * stands for any text. More than once: any."
        ),
    ] = None,
    camera: Cameras = None,
    after: After = None,
    before: Before = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")] = False,
) -> None:
    """Delete images of a database: those for which all that is asked holds. Their files stay.

    What was deleted is found no more; for a week LanceDB keeps earlier versions of a table, and its numbers
    in them.

    Examples:

        genreid gallery delete lance:gallery --before 2024-01-01 --dry-run

        genreid gallery delete lance:gallery --camera c2 --path 'monday/*'
    """
    from pipeline.errors import PipelineError
    from stages.shared.run import Options, Project
    from stages.using.stores import LanceStore, store_at

    project, store, where = Project.open(Options()), store_at(place), where_of(camera, after, before, path)
    if not isinstance(store, LanceStore):
        raise PipelineError(f"{place} is a file: embed its folder again, without these images")
    if not where:
        raise PipelineError(
            f"delete which images of {place}? Name some by --path, --camera, --after or --before; to be rid "
            f"of all of them, remove the folder {store.folder}"
        )
    embedded = store.open()
    num = embedded.to_table(where, ["path"]).num_rows if dry_run else embedded.delete(where)
    done = "would be deleted" if dry_run else "deleted"
    project.console.print(
        f"{num} images {done} ({where}); {embedded.count()} readable ones are there", markup=False
    )


def _labels(labels: pa.Table) -> dict[str, object]:
    """How many cameras, and which; from when to when."""
    import pyarrow.compute as pc

    cameras = sorted(one for one in pc.unique(labels["camera"]).to_pylist() if one is not None)
    times = pc.min_max(labels["time"]).as_py()
    more = f" and {len(cameras) - _MOST_NAMES} more" if len(cameras) > _MOST_NAMES else ""
    found: dict[str, object] = {}
    if cameras:
        found["cameras"] = f"{len(cameras)} ({', '.join(cameras[:_MOST_NAMES])}{more})"
    if times["min"] is not None:
        found["times"] = f"{times['min']} to {times['max']}"
    return found
