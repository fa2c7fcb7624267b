"""Some groups on one picture: the largest, and those that are least certain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.resume import some_of
from stages.shared.run import Project

if TYPE_CHECKING:
    import numpy as np

    from genreid.deployment.gallery import Gallery
    from genreid.deployment.group_table import Groups

NUM_LARGEST, NUM_UNCERTAIN = 12, 12
NUM_IMAGES = 12
"""Of a group, from its surest image to its least sure one."""

GroupPicture = Annotated[
    Path,
    typer.Option(
        "--picture", "-p", help="The PNG or JPEG to write: the largest groups, and the least certain ones."
    ),
]


def draw_groups(project: Project, path: Path, gallery: Gallery, groups: Groups) -> None:
    """gallery: the images whose groups these are. Those that are gone are left out, and a line says so."""
    from genreid.data.transforms import resize
    from genreid.deployment.boxed import read_embedded
    from genreid.deployment.pictures import groups_picture
    from genreid.errors import GenreidError
    from stages.using.pictures import write_picture

    info, lines, gone = gallery.info, [], []
    for name, places in shown(groups):
        line = []
        for place in places:
            try:
                image = read_embedded(Path(info.folder), gallery.path[place])
            except (GenreidError, OSError):
                gone.append(gallery.path[place])
                continue
            line.append((resize(image, info.height_px, info.width_px), groups.confidence[place]))
        if line:
            lines.append((name, line))
    if gone:
        which = f"{some_of(gone)} cannot be read in {info.folder}"
        said = f"{path} is without images: {which}" if lines else f"no picture: {which}"
        project.console.print(said, markup=False, soft_wrap=True)
    if lines:
        write_picture(path, groups_picture(lines))


def shown(groups: Groups) -> Iterator[tuple[str, np.ndarray]]:
    """Names, and positions of the images that stand for a group."""
    import numpy as np

    size = np.bincount(groups.group)
    sums = np.bincount(groups.group, groups.confidence)
    mean = np.divide(sums, size, out=np.ones(len(size)), where=size > 0)
    largest = [at for at in np.argsort(-size, kind="stable")[:NUM_LARGEST] if size[at]]
    several = np.where(size > 1, mean, np.inf)
    several[largest] = np.inf
    uncertain = [at for at in np.argsort(several, kind="stable")[:NUM_UNCERTAIN] if np.isfinite(several[at])]
    for kind, chosen in (("", largest), ("uncertain: ", uncertain)):
        for at in chosen:
            own = np.flatnonzero(groups.group == at)
            own = own[np.argsort(-groups.confidence[own], kind="stable")]
            some = np.unique(np.linspace(0, len(own) - 1, min(len(own), NUM_IMAGES)).round().astype(np.int64))
            person = next((one for place in own.tolist() if (one := groups.person[place])), None)
            named = f" {person}" if person else ""
            yield f"{kind}group {at}{named}, {size[at]} images", own[some]
