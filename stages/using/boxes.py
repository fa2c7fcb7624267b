"""Boxes of a detector in the place of a folder of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.run import Project

if TYPE_CHECKING:
    import pyarrow as pa

    from genreid.deployment.boxed import BoxedFrames
    from genreid.deployment.gallery_table import GalleryInfo
    from genreid.deployment.looking import Looker
    from genreid.deployment.patterns import Told

BoxesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Boxes in frames, as MOTChallenge has them (det.txt, gt.txt) or COCO's JSON: each of them is "
        "embedded.",
        show_default=False,
    ),
]


def open_boxed(project: Project, frames: Path, boxes: Path) -> BoxedFrames:
    """The boxes and their frames; says what was left out. Raises GenreidError."""
    from genreid.deployment.boxed import BoxedFrames
    from genreid.deployment.boxes import read_boxes
    from genreid.deployment.frames import open_frames

    found = read_boxes(boxes)
    for reason, num in found.left_out.items():
        project.console.print(f"left out: {num} boxes {reason}", markup=False, soft_wrap=True)
    return BoxedFrames(found, open_frames(frames))


def boxed_tables(
    project: Project, looker: Looker, boxed: BoxedFrames, info: GalleryInfo, told: Told, batch_size: int
) -> Iterator[pa.Table]:
    """The rows, while the boxes are embedded."""
    from genreid.deployment.boxed import embed_boxes

    return embed_boxes(looker, boxed, info, told, batch_size=batch_size, num_threads=project.workers)
