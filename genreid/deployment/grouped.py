"""A gallery's images in groups of one person each, beside known persons.

N images, K images of known persons, D embedding width.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genreid.clustering.agglomeration import Grouping, Links
from genreid.deployment.gallery import Gallery
from genreid.deployment.group_table import Groups
from genreid.deployment.groups import Likeness, Question, confidences, group, questions
from genreid.errors import GenreidError


@dataclass(frozen=True)
class People:
    """The images that are to be grouped, and after them those of known persons.

    path: N names. rows: (N + K, D) float32 unit rows. name: (N + K,) positions in `names`, −1 where nobody
    knows.
    """

    path: list[str]
    rows: np.ndarray
    name: np.ndarray
    names: list[str]

    @classmethod
    def of(cls, own: Gallery, known: Gallery | None = None, place: str = "", pattern: str = "") -> People:
        """place: the known gallery's, in errors. pattern: finds a known person in a path, as group `person`.

        Raises GenreidError where the two cannot be compared, and where no path tells a person.
        """
        num = len(own.path)
        if known is None:
            return cls(own.path, own.embedding, np.full(num, -1), [])
        for what, how in (("fingerprint", "other weights"), ("views", f"--views {known.info.views}")):
            if getattr(known.info, what) != getattr(own.info, what):
                raise GenreidError(
                    f"--gallery: {place} was embedded with {how}; embed it again as the images are"
                )
        if known.means is not None or own.means is not None:
            raise GenreidError(
                "--gallery: embeddings less the means of cameras cannot be compared with those of others; "
                "embed both without --camera-pattern"
            )
        person = _persons(known.path, pattern)
        names = sorted({one for one in person if one is not None})
        if not names:
            raise GenreidError(
                f"--person-pattern: '{pattern}' finds nobody in {known.path[0]}, nor in others"
            )
        at = {one: number for number, one in enumerate(names)}
        name = [-1] * num + [-1 if one is None else at[one] for one in person]
        return cls(own.path, np.concatenate([own.embedding, known.embedding]), np.array(name), names)


@dataclass(frozen=True)
class Grouped:
    """The groups of these people by a cut, a cosine similarity."""

    people: People
    likeness: Likeness
    cut: float
    links: Links

    @cached_property
    def _grouping(self) -> Grouping:
        return group(self.likeness, self.cut, self.links)

    @cached_property
    def labels(self) -> np.ndarray:
        """(N,) numbered by each group's first image."""
        return self._grouping.labels[: len(self.people.path)]

    @cached_property
    def confidence(self) -> np.ndarray:
        """(N,) 0 to 1: see `confidences`."""
        found = confidences(self.likeness.above(self.cut), self._grouping.labels)
        return found[: len(self.people.path)]

    @cached_property
    def images(self) -> np.ndarray:
        """(N,) how many images of the gallery the image's group has."""
        return np.bincount(self.labels)[self.labels]

    @cached_property
    def person(self) -> list[str | None]:
        """The known person whose images are in the image's group."""
        named = np.full(self._grouping.labels.max(initial=-1) + 1, -1)
        np.maximum.at(named, self._grouping.labels, self.people.name)
        return [self.people.names[at] if at >= 0 else None for at in named[self.labels]]

    @property
    def groups(self) -> Groups:
        """All of it, as the table has it."""
        return Groups(self.labels, self.person, self.confidence, self.cut)

    @property
    def num_groups(self) -> int:
        """With an image of the gallery in them."""
        return len(np.unique(self.labels))

    def questions(self, most: int) -> list[Question]:
        """What to ask a person of images of the gallery, the least certain first."""
        asked = questions(self.likeness, self.cut, self._grouping, self.people.rows, self.links, most)
        return [one for one in asked if max(one.one, one.other) < len(self.people.path)]


def _persons(paths: list[str], pattern: str) -> list[str | None]:
    try:
        found = [re.search(pattern, path) for path in paths]
        return [one["person"] if one else None for one in found]
    except (re.error, IndexError) as error:
        raise GenreidError(
            f"--person-pattern: '{pattern}' is no regular expression with a group `person` ({error})"
        ) from None
