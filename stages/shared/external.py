"""A data set that was not made here: listed by its layout, every image looked over once, nothing copied."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreid.data.datasets.counts import differences
from genreid.data.datasets.layout import ImageFile, Layout, Listing
from genreid.data.files import AnyPath, opened
from genreid.data.inspection import inspect_images
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.data.objects import ObjectPath
from genreid.data.validation import set_aside
from genreid.render.contact_sheet import MOST_COLUMNS, MOST_ROWS, cells_by_identity, contact_sheet
from genreid.synthetic.truth import TRUTH_SCHEMA
from pipeline.artifacts import atomic_directory, read_table, write_bytes, write_table
from pipeline.errors import PipelineError
from pipeline.pictures import png
from stages.shared.data import image_set
from stages.shared.engine import open_workers
from stages.shared.paths import data_path
from stages.shared.run import Project, StageRun
from stages.shared.shards import make_pieces, plan_shards, read_pieces
from stages.shared.users_files import stamp_of

_IMAGES_PER_PIECE = 512

_FACTS_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string()),
        pa.field("height", pa.int16()),
        pa.field("width", pa.int16()),
        pa.field("num_bytes", pa.int64()),
        pa.field("status", pa.string()),
        pa.field("detail", pa.string()),
    ]
)
_KEPT_SCHEMA = _FACTS_SCHEMA.append(pa.field("stamp", pa.string()))
"""Of a piece in the stage's state, with what its files were when they were looked over."""


@dataclass(frozen=True)
class External:
    """What to read, and how: its layout, and what `PrepareDataSettings` says of it."""

    layout: Layout
    val_identities: int
    seed: int
    height_px: int
    width_px: int
    body: str


def prepare_external(run: StageRun, external: External) -> Manifest:
    """The manifest of the data set at `paths.dataset`; writes its contact sheet too.

    DVC wants the images and the truth of every data set: here they are a folder with a note, and a table
    without rows.
    """
    given, folder = dataset_folder(run)
    listing = external.layout.find(folder)
    images = set_aside(listing.images, external.val_identities, external.seed)
    facts = _look_over(run, listing.root, images)
    manifest = Manifest.from_rows(
        [
            {**_row(image), **{name: fact[name] for name in _FACTS_SCHEMA.names}}
            for image, fact in zip(images, facts.to_pylist(), strict=True)
        ],
        ManifestInfo(
            dataset=external.layout.name,
            root=_root(given, folder, listing.root),
            height_px=external.height_px,
            width_px=external.width_px,
            body=external.body,
        ),
    )
    odd = differences(external.layout, listing.images)
    for line in [
        *odd,
        *listing.notes,
        *_skipped_lines(listing),
        *_unreadable_lines(facts, run.paths.manifest),
    ]:
        run.warn(line)
    if external.layout.citation:
        run.show("Data set", {"name": external.layout.name, "to be cited": external.layout.citation})
    with atomic_directory(run.path("images")) as folder:
        note = f"The images of {external.layout.name} stay where paths.dataset says; none were made here.\n"
        write_bytes(folder / "README.txt", note.encode())
    write_table(run.path("truth"), TRUTH_SCHEMA.empty_table())
    with atomic_directory(run.plots) as folder:
        write_bytes(folder / "contact_sheet.png", _sheet(run, manifest))
    return manifest


def dataset_folder(run: Project) -> tuple[str, AnyPath]:
    """`paths.dataset`, its `~` resolved, and where that is, which must be a folder.

    Raises PipelineError where it is not.
    """
    given = run.paths.dataset
    place = run.params.place("paths.dataset")
    dataset = run.params.value("prepare_data.dataset")
    if given is None:
        raise PipelineError(
            f"{place} is null, and prepare_data.dataset is {dataset}: set paths.dataset to the folder of its "
            "images"
        )
    given = os.path.expanduser(given)
    folder = data_path(run.root, given)
    if not folder.is_dir():
        raise PipelineError(
            f"{place}: {given} is no folder{_far(folder)}, and prepare_data.dataset is {dataset}: set "
            "paths.dataset to the folder of its images"
        )
    return given, folder


def _far(folder: AnyPath) -> str:
    return " of that store: nothing is in it" if isinstance(folder, ObjectPath) else ""


def _root(given: str, folder: AnyPath, found: AnyPath) -> str:
    """The root as the manifest keeps it: as `paths.dataset` is given, relative, absolute or a URL."""
    if isinstance(found, ObjectPath) or isinstance(folder, ObjectPath):
        return str(found)
    return (Path(given) / found.relative_to(folder)).as_posix()


def _row(image: ImageFile) -> dict[str, object]:
    return {
        "image_id": image.path,
        "split": image.split,
        "camera_id": image.camera_id,
        "person_id": image.person_id,
    }


def _look_over(run: StageRun, root: AnyPath, images: Sequence[ImageFile]) -> pa.Table:
    """Rows of `_KEPT_SCHEMA` for each image, in order.

    A piece that an interrupted run kept is looked over again where one of its files is another one now.
    Files are read in threads. A request to an object store costs time under Python's lock: there processes
    read.
    """

    (pieces,) = plan_shards(len(images), _IMAGES_PER_PIECE, len(images))
    _forget_changed(run, root, images, pieces)
    here = run.workers if isinstance(root, Path) else int(run.workers == 1)
    with open_workers(run, _start_worker, root, here=here, sees=[root]) as workers:

        def look(piece: range) -> pa.Table:
            paths = [image.path for image in images[piece.start : piece.stop]]
            before = [
                stamp_of(root / path) for path in paths
            ]  # replaced meanwhile, a file is looked at again
            return workers.call(_inspect, paths).append_column("stamp", pa.array(before, pa.string()))

        make_pieces(run, pieces, look, "looking images over", num_threads=workers.num_calls)
    return read_pieces(run, range(len(pieces)))


def _forget_changed(
    run: StageRun, root: AnyPath, images: Sequence[ImageFile], pieces: Sequence[range]
) -> None:
    """Remove the kept pieces whose files have been replaced, moved or renamed since."""
    changed = 0
    for index, piece in enumerate(pieces):
        kept = run.state.chunk(index)
        if not kept.exists():
            continue
        table = read_table(kept, f"start again with `genreid {run.stage} --fresh`")
        now = [(image.path, stamp_of(root / image.path)) for image in images[piece.start : piece.stop]]
        then = list(zip(table["path"].to_pylist(), table["stamp"].to_pylist(), strict=True))
        if now != then:
            kept.unlink()
            changed += len(set(now) - set(then))
    if changed:
        run.warn(f"{root}: {changed:,} files changed since prepare-data was interrupted; looked over again")


def _skipped_lines(listing: Listing) -> list[str]:
    return [
        f"{len(paths):,} files are left out ({reason}): {paths[0]!r}{' and others' if len(paths) > 1 else ''}"
        for reason, paths in sorted(listing.skipped.items())
    ]


def _unreadable_lines(facts: pa.Table, manifest: str) -> list[str]:
    """A line where some images cannot be read: a list may name files that are not there."""
    bad = facts.filter(pc.field("status") != "ok").to_pylist()
    if not bad:
        return []
    first = f"{bad[0]['path']!r} ({bad[0]['detail']})"
    others = f" and others; {manifest} has the reason of each" if len(bad) > 1 else ""
    return [f"{len(bad):,} images cannot be read and take no part: {first}{others}"]


def _sheet(run: StageRun, manifest: Manifest) -> bytes:
    """A row an identity and a column a camera where both are known, otherwise images from all over."""
    readable = Manifest(manifest.info, manifest.table.filter(manifest.status == "ok"))
    if len(readable) == 0:
        raise PipelineError(
            f"{manifest.info.root}: none of {len(manifest)} images can be read "
            f"({manifest.table['path'][0]}: {manifest.table['detail'][0]}): look for an incomplete copy"
        )
    cells = cells_by_identity(
        readable.person_id.tolist(), readable.camera_id.tolist()
    ) or _cells_from_all_over(len(readable))
    chosen = np.array([cell for row in cells for cell in row if cell is not None])
    shown = dict(zip(chosen.tolist(), image_set(run, readable).load(chosen), strict=True))
    rows = [[None if cell is None else shown[cell] for cell in row] for row in cells]
    return png(contact_sheet(rows))


def _cells_from_all_over(num: int) -> list[list[int | None]]:
    """Positions spread evenly over all images."""
    width = MOST_COLUMNS
    places = np.unique(np.linspace(0, num - 1, MOST_ROWS * width).astype(np.int64)).tolist()
    return [places[start : start + width] for start in range(0, len(places), width)]


# What follows runs in the workers.

_root_here: AnyPath | None = None


def _start_worker(root: AnyPath) -> None:
    global _root_here
    _root_here = opened(root)


def _inspect(paths: Sequence[str]) -> pa.Table:
    """Rows of `_FACTS_SCHEMA`."""
    assert _root_here is not None, "_start_worker ran first"
    found = zip(paths, inspect_images(_root_here, paths), strict=True)
    rows = [{**vars(facts), "path": path, "status": facts.status} for path, facts in found]
    return pa.Table.from_pylist(rows, schema=_FACTS_SCHEMA)
