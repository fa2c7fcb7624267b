"""The whole evaluation: retrieval of both encoders, the views of the generator, what training has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from genreid.evaluation.background_leak import measure_leak
from genreid.evaluation.bodies import PairBodies
from genreid.evaluation.generated_views import GeneratedViews, draw_queries, judge_views
from genreid.evaluation.generation import Painter, ViewedImages
from genreid.evaluation.learnt import Invariance, judge_invariance
from genreid.evaluation.looking import Looking
from genreid.evaluation.matches import Matches
from genreid.evaluation.retrieval import Pair, Retrieval, cmc_rows, percentages, picture_of_lists
from genreid.evaluation.settings import EvaluateSettings
from genreid.evaluation.view_colours import People, measure_colours
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator

if TYPE_CHECKING:
    from genreid.progress import Progress


Figures = dict[str, float] | str
"""By name, or the reason in one line why there are none."""


_NOBODY = "no query has a body to be looked at"


@dataclass(frozen=True)
class Report:
    """What was found. retrievals: by the encoders' names, `warm_up` and `joint`. views: None where no view
    was judged, for the reason `unjudged`. backgrounds, colours: figures of `background_leak` and
    `view_colours`, or the reason why there are none. looking: None where no ranking is defined. matches: what
    similarities say of whether two images are of one person. checkpoint: fingerprint of the joint encoder's.
    """

    settings: EvaluateSettings
    pair: Pair
    retrievals: Mapping[str, Retrieval]
    views: GeneratedViews | None
    backgrounds: Figures
    colours: Figures
    learnt: Invariance
    looking: Looking | None
    matches: Matches
    checkpoint: str
    unjudged: str | None

    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds; where the ranking is undefined, or no view was judged, the reason in place
        of the figures."""
        views: dict[str, Any] = {"views": self.views.figures} if self.views is not None else {}
        if self.unjudged is not None:
            views["views_unjudged"] = self.unjudged
        else:
            for name, found in (("backgrounds", self.backgrounds), ("colours", self.colours)):
                views[f"{name}_unmeasured" if isinstance(found, str) else name] = found
        if self.pair.undefined is not None:
            return {"undefined": self.pair.undefined, **views}
        metrics: dict[str, Any] = {name: percentages(one) for name, one in self.retrievals.items()}
        metrics |= views
        if self.looking is not None:
            metrics["test_views"] = self.looking.figures()
            if self.looking.recommended is not None:
                metrics["recommended"] = {"views": self.looking.recommended, "checkpoint": self.checkpoint}
        if matches := self.matches.figures():
            metrics["matches"] = matches
        if self.learnt.figures:
            metrics["invariance"] = self.learnt.figures
        return metrics

    def curves(self) -> dict[str, list[dict[str, float]]]:
        """Rows by name; no row where what they need is not known."""
        return {
            "cmc": cmc_rows(self.retrievals, self.settings.max_rank),
            "identity_kept": [] if self.views is None else self.views.by_yaw,
            "det": self.matches.det(),
            "hits_by_viewpoint": self.learnt.hits,
            "spread": self.learnt.spread,
            "mixtures": self.learnt.mixtures,
        }

    def pictures(self) -> dict[str, np.ndarray]:
        """uint8 RGB by name."""
        num_lists, seed = self.settings.num_ranked_lists, self.settings.seed
        lists = picture_of_lists(self.retrievals["joint"], self.pair, num_lists, seed)
        views = {} if self.views is None else {"views": self.views.picture}
        return {**self.learnt.pictures, "ranked_lists": lists, **views}

    def facts(self) -> dict[str, object]:
        """What was looked at."""
        facts: dict[str, object] = {
            "split": self.settings.split,
            "queries": len(self.pair.queries.images),
            "gallery": len(self.pair.gallery.images),
        }
        if (result := self.retrievals["joint"].result) is not None:
            facts["queries without a match"] = result.num_without_match
        return facts


def judge(
    encoders: Mapping[str, IdentityEncoder],
    generator: Generator,
    viewed: ViewedImages | str,
    pair: Pair,
    retrievals: Mapping[str, Retrieval],
    headings: Mapping[str, float],
    settings: EvaluateSettings,
    progress: Progress,
    *,
    bodies: PairBodies | str,
    looking: Looking | None,
    matches: Matches,
    checkpoint: str,
) -> Report:
    """How good the views are that the generator paints, in the eyes of the encoder that never saw any; and
    what the encoder that saw them has learnt.

    encoders: `warm_up` and `joint`, whose appearance code the generator paints; viewed: the queries, or the
    reason why none of them has views. headings: the true ones, see `true_headings`. bodies: those of the
    images, or the reason why they are not known. looking, matches, checkpoint: as in the
    report.
    """
    painter = Painter(generator, encoders["joint"])
    seen = None if isinstance(viewed, str) else viewed
    index, views = np.empty(0, np.int64), None
    backgrounds: Figures = bodies if isinstance(bodies, str) else _NOBODY
    colours = backgrounds
    if seen is not None:
        index = draw_queries(seen, settings.num_generated, settings.seed)
        views = judge_views(
            painter,
            encoders["warm_up"],
            seen,
            index,
            pair,
            retrievals["warm_up"],
            batch_size=settings.batch_size,
            progress=progress,
        )
    if seen is not None and not isinstance(bodies, str):
        backgrounds, colours = _measure_bodies(
            painter, encoders["warm_up"], seen, bodies, index, pair, retrievals["warm_up"], settings
        )
    seed = settings.seed
    learnt = judge_invariance(encoders, painter, seen, index, pair, retrievals, headings, seed=seed)
    unjudged = viewed if isinstance(viewed, str) else None
    found = views, backgrounds, colours, learnt
    return Report(settings, pair, retrievals, *found, looking, matches, checkpoint, unjudged)


def _measure_bodies(
    painter: Painter,
    judge: IdentityEncoder,
    viewed: ViewedImages,
    bodies: PairBodies,
    index: np.ndarray,
    pair: Pair,
    judged: Retrieval,
    settings: EvaluateSettings,
) -> tuple[Figures, Figures]:
    """What backgrounds tell of the persons of the queries at `index`, and how far the colours of their views
    are off."""
    size = settings.batch_size
    leak = measure_leak(judge, viewed, bodies.queries, index, pair, judged.gallery, batch_size=size)
    parts = [(pair.queries, bodies.queries)]
    if bodies.gallery is not None:
        parts.append((pair.gallery, bodies.gallery))
    people = People(parts)
    return leak, measure_colours(painter, viewed, people, index, seed=settings.seed, batch_size=size)
