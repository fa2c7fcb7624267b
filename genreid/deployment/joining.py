"""New images join groups that are there, which stay as they are.

Beyond the paper. Only the groups near a new image are looked at again: those of its nearest images. So what
it takes grows with the new images and with how many are near them; one search goes through all old ones. No
two old groups become one, and none is taken apart: that is for grouping all images anew.

M new images, N old ones, D embedding width.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreid.clustering.faiss_search import nearest_in_gallery
from genreid.deployment.gallery import MEANS_KEY, Gallery
from genreid.deployment.gallery_table import embeddings_of, info_of
from genreid.deployment.group_table import GroupedGallery, Groups
from genreid.deployment.grouped import Grouped, People
from genreid.deployment.groups import Question
from genreid.deployment.patterns import Told
from genreid.errors import GenreidError


@dataclass(frozen=True)
class Joining:
    """The new images and, after them, the old ones near them. people: of whom the M first are new; the names
    of the others are their groups' numbers."""

    people: People
    old: GroupedGallery
    num_new: int

    @classmethod
    def of(cls, new: Gallery, old: GroupedGallery, k: int, named: Collection[str] = ()) -> Joining:
        """k: how many nearest images a new one looks at. named: paths of images whose groups are looked at
        too.

        Raises GenreidError where the two cannot be compared, or an image is in a group already.
        """
        _require_comparable(new, old.gallery)
        near, _ = nearest_in_gallery(new.embedding, old.gallery.embedding, min(k, len(old.gallery.path)))
        asked = {path: place for place, path in enumerate(old.gallery.path)}
        wanted = [near.ravel(), np.array([asked[path] for path in named if path in asked], np.int64)]
        chosen = np.unique(old.groups.group[np.concatenate(wanted)])
        kept = np.flatnonzero(np.isin(old.groups.group, chosen))
        name = np.searchsorted(chosen, old.groups.group[kept])
        people = People(
            [*new.path, *(old.gallery.path[place] for place in kept)],
            np.concatenate([new.embedding, old.gallery.embedding[kept]]),
            np.concatenate([np.full(len(new.path), -1), name]),
            [str(group) for group in chosen],
        )
        return cls(people, old, len(new.path))

    def joined(self, made: Grouped) -> Groups:
        """The groups of the new images: old ones' numbers, and beyond these those of new groups."""
        num, known = self.num_new, self.old.groups
        person_of = dict(zip(known.group.tolist(), known.person, strict=True))
        beyond = int(known.group.max()) + 1
        _, fresh = np.unique(made.labels[:num], return_inverse=True)
        is_old = np.array([one is not None for one in made.person[:num]])
        group = np.array([int(one) if one is not None else -1 for one in made.person[:num]], np.int64)
        if (~is_old).any():
            group[~is_old] = beyond + np.unique(fresh[~is_old], return_inverse=True)[1]
        return Groups(group, [person_of.get(int(one)) for one in group], made.confidence[:num], made.cut)

    def questions(self, made: Grouped, most: int) -> list[Question]:
        """Those of `Grouped.questions` that are about a new image."""
        asked = made.questions(most)
        return [one for one in asked if min(one.one, one.other) < self.num_new]


def as_the_old(table: pa.Table, old: Gallery) -> pa.Table:
    """A table of new embeddings as if it were a part of the old one: paths are told from the old folder, or
    whole, and the means of the old cameras are taken off, where they are off the old embeddings.

    Raises GenreidError where means are off the new ones already.
    """
    if MEANS_KEY in (table.schema.metadata or {}):
        raise GenreidError(
            "the new images are without the means of their cameras: embed them without --camera-pattern; "
            "cameras are told as those of the groups are"
        )
    info = info_of(table.schema, "the new table")
    paths = [
        _told_from(Path(old.info.folder), Path(info.folder) / path) for path in table["path"].to_pylist()
    ]
    columns = {name: table[name] for name in table.column_names} | {"path": pa.array(paths, pa.string())}
    if old.means is not None:
        cameras = Told(camera=old.means.pattern).cameras(paths)
        there = pc.is_valid(table["embedding"]).to_numpy(zero_copy_only=False)
        known = [camera if camera in old.means.by_camera else None for camera in cameras]
        rows = embeddings_of(table.filter(pa.array(there)))
        centred = iter(old.means.take_off(rows, [known[row] for row in np.flatnonzero(there)]))
        columns["camera"] = pa.array(cameras, pa.string())
        columns["embedding"] = pa.array(
            [next(centred) if readable else None for readable in there],
            table.schema.field("embedding").type,
        )
    return pa.table(columns, schema=table.schema)


def _told_from(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _require_comparable(new: Gallery, old: Gallery) -> None:
    for what, how in (("fingerprint", "other weights"), ("views", f"--views {old.info.views}")):
        if getattr(old.info, what) != getattr(new.info, what):
            raise GenreidError(f"the groups were made with {how}; embed the new images so, or group all anew")
    both = set(new.path) & set(old.path)
    if both:
        raise GenreidError(
            f"{min(both)} is in a group already; take it out of the new images, or group all anew"
        )
