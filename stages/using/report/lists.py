"""Ranked lists: the best and the worst of the joint encoder's, and those that joint training changed most.

Everything is embedded again, as `evaluate` does it, since a run keeps no embeddings; from the same
checkpoints come the same average precisions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stages.shared.run import Project
from stages.using.report.crops import Crop, Part

if TYPE_CHECKING:
    import numpy as np

    from genreid.evaluation.ranked_lists import RankedLists
    from genreid.evaluation.retrieval import Pair, Retrieval
    from genreid.progress import Progress

_MOST_LISTS, _NUM_CHANGED = 6, 3
ENCODERS = {"warm_up": "encoder", "joint": "joint"}


@dataclass(frozen=True)
class Entry:
    """A place of a list. is_match: None where nobody knows."""

    crop: Crop
    similarity: float
    is_match: bool | None


@dataclass(frozen=True)
class RankedList:
    """The head of the list of an encoder (`warm_up` or `joint`). precision: its AP in percent, None where
    undefined."""

    encoder: str
    precision: float | None
    entries: list[Entry]


@dataclass(frozen=True)
class Asked:
    """A query and its lists."""

    query: Crop
    lists: list[RankedList]


@dataclass(frozen=True)
class Lists:
    """undefined: the reason why no list is better than another, and `drawn` are then some at random.
    mean_ap: of each encoder, in percent."""

    split: str
    undefined: str | None
    mean_ap: dict[str, float] = field(default_factory=dict)
    best: list[Asked] = field(default_factory=list)
    worst: list[Asked] = field(default_factory=list)
    gained: list[Asked] = field(default_factory=list)
    lost: list[Asked] = field(default_factory=list)
    drawn: list[Asked] = field(default_factory=list)


def ranked_lists(project: Project, progress: Progress, *, photographs: bool) -> Lists:
    """Embed queries and gallery of `evaluate.split` with both encoders. Raises GenreidError,
    PipelineError."""
    from functools import partial

    from genreid.evaluation.retrieval import Pair, embed_pair, rank_pair
    from genreid.evaluation.settings import EvaluateSettings
    from genreid.models.checkpoint import load_encoder
    from pipeline.params import section
    from stages.shared.data import image_set, read_manifest
    from stages.shared.preprocessing import read_fitting_checkpoint

    settings = section(project.params, "evaluate", EvaluateSettings)
    manifest = read_manifest(project)
    pair = Pair.of(manifest, settings.split, partial(image_set, project))
    retrievals = {}
    for name, key in ENCODERS.items():
        encoder = load_encoder(*read_fitting_checkpoint(project, key, manifest.info)).to(project.device)
        rows = embed_pair(encoder, pair, settings.batch_size, project.device, progress)
        retrievals[name] = rank_pair(rows, pair, 1, None)
    return choose(pair, retrievals, settings.split, settings.seed, photographs=photographs)


def choose(
    pair: Pair, retrievals: dict[str, Retrieval], split: str, seed: int, *, photographs: bool
) -> Lists:
    """The lists to show, of these rankings by `warm_up` and `joint`."""
    import numpy as np

    from genreid.seeding import numpy_rng

    shown = _Shower(pair, retrievals, photographs)
    results = {name: one.result for name, one in retrievals.items() if one.result is not None}
    if pair.undefined is not None or len(results) < len(retrievals):
        drawn = numpy_rng(seed, "ranked lists").permutation(len(pair.queries.images))[:_MOST_LISTS]
        return Lists(split, pair.undefined, drawn=shown.of(np.sort(drawn), ["joint"]))
    before, after = (results[name].average_precision for name in ENCODERS)
    known = np.flatnonzero(np.isfinite(after))
    order = known[np.argsort(-after[known], kind="stable")]
    half = min(_MOST_LISTS, len(order) // 2)
    change = after - before
    steps = known[np.argsort(-change[known], kind="stable")]
    return Lists(
        split,
        None,
        {name: 100 * result.mean_ap for name, result in results.items()},
        best=shown.of(order[: max(half, 1)], ["joint"]),
        worst=shown.of(order[::-1][:half], ["joint"]),
        gained=shown.of(steps[change[steps] > 0][:_NUM_CHANGED], list(ENCODERS)),
        lost=shown.of(steps[change[steps] < 0][::-1][:_NUM_CHANGED], list(ENCODERS)),
    )


class _Shower:
    """Makes lists of queries at some positions."""

    def __init__(self, pair: Pair, retrievals: dict[str, Retrieval], photographs: bool) -> None:
        self._pair, self._retrievals = pair, retrievals
        self._queries = Part(pair.queries.manifest, pair.queries.images, photographs)
        self._gallery = Part(pair.gallery.manifest, pair.gallery.images, photographs)

    def of(self, index: np.ndarray, names: list[str]) -> list[Asked]:
        """index: (Q,) positions of queries, in the order to show. names: of the encoders."""
        if not len(index):
            return []
        heads = {name: self._heads(name, index) for name in names}
        return [
            Asked(
                self._queries.crop(int(query)),
                [self._list(name, int(query), heads[name], row) for name in names],
            )
            for row, query in enumerate(index)
        ]

    def _heads(self, name: str, index: np.ndarray) -> RankedLists:
        import numpy as np

        from genreid.evaluation.ranked_lists import top_matches
        from genreid.evaluation.retrieval import LENGTH_OF_LISTS

        one, pair = self._retrievals[name], self._pair
        persons, cameras = pair.queries.labels
        gallery_persons, gallery_cameras = pair.gallery.labels
        if pair.undefined is not None:  # nothing is left out for its camera
            cameras, gallery_cameras = np.zeros_like(cameras), np.ones_like(gallery_cameras)
        asked = one.queries[index], persons[index], cameras[index]
        return top_matches(*asked, one.gallery, gallery_persons, gallery_cameras, k=LENGTH_OF_LISTS)

    def _list(self, name: str, query: int, heads: RankedLists, row: int) -> RankedList:
        import numpy as np

        known = bool(self._pair.queries.manifest.person_id[query] > 0)
        entries = [
            Entry(self._gallery.crop(int(place)), float(similarity), bool(match) if known else None)
            for place, match, similarity in zip(
                heads.index[row], heads.is_match[row], heads.similarity[row], strict=True
            )
            if place >= 0
        ]
        result = self._retrievals[name].result
        precision = np.nan if result is None else 100 * result.average_precision[query]
        return RankedList(name, float(precision) if np.isfinite(precision) else None, entries)
