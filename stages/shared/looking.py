"""The embeddings of `evaluate`: of the image alone, and of the ways that are held beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from genreid.data.manifest import Manifest
from genreid.data.settings import WayName
from genreid.data.ways import Look, Turned, looks
from genreid.evaluation.looking import Looking, Scores, score, ways_beside
from genreid.evaluation.matches import MatchCurves
from genreid.evaluation.retrieval import SPLITS, Pair, Part, embed_pair
from genreid.evaluation.settings import EvaluateSettings
from genreid.models.encoder import IdentityEncoder
from genreid.models.speed import Speed
from genreid.render.views import YAWS_DEG
from genreid.warping.speed import Turning
from stages.shared.body import open_body
from stages.shared.data import image_set
from stages.shared.matches import curves_of
from stages.shared.meshes import read_mesh
from stages.shared.run import StageRun
from stages.shared.warped import turned_pictures

_VALIDATION = "val"


class PairLooker:
    """Embeds pairs of queries and gallery in every way, once, whatever interrupts it.

    encoders: `warm_up` and `joint`. manifest: of all splits.
    """

    def __init__(
        self,
        run: StageRun[EvaluateSettings],
        encoders: Mapping[str, IdentityEncoder],
        manifest: Manifest,
    ) -> None:
        self._run, self._encoders, self._manifest = run, encoders, manifest
        self._turned: list[tuple[Part, Turned]] = []

    def rows(self, name: str, pair: Pair, way: WayName = "image", split: str = "") -> dict[str, torch.Tensor]:
        """What `embed_pair` gives. name: the encoder's; split: the pair's, the evaluated one's by default."""
        return self._kept(name, pair, way, split)["rows"]

    def compare(self, pair: Pair) -> Looking | None:
        """All ways on the evaluated pair, and on validation identities; None where no ranking is defined."""
        if pair.undefined is not None:
            return None
        ways = ways_beside(self._run.settings.test_views)
        # The joint encoder first: textures that it finds in memory would not count in its milliseconds.
        scores = {name: self._scores(name, pair, ways) for name in ("joint", "warm_up")}
        milliseconds = {way: self._milliseconds(pair, way) for way in ways}
        validation = None
        if len(ways) > 1 and self._run.settings.split == _VALIDATION:
            validation = scores["joint"]
        elif len(ways) > 1 and (other := self._validation()):
            validation = self._scores("joint", other, ways, _VALIDATION)
        return Looking({name: scores[name] for name in self._encoders}, validation, milliseconds)

    def matches(self, pair: Pair) -> MatchCurves:
        """What the similarities of the joint encoder say of whether two images are of one person, by the
        validation identities, in each way; nothing where there are none."""
        settings, found = self._run.settings, MatchCurves()
        on_validation = settings.split == _VALIDATION and pair.undefined is None
        other = pair if on_validation else self._validation()
        if other is None:
            return found
        parts = (other.queries.manifest, other.gallery.manifest)
        person = np.concatenate([part.person_id for part in parts])
        camera = np.concatenate([part.camera_id for part in parts])
        known = np.where(person > 0, person, -1)  # junk and distractors are nobody in particular
        for way in ways_beside(settings.test_views):
            embedded = self.rows("joint", other, way, "" if on_validation else _VALIDATION)
            rows = torch.cat([embedded["queries"], embedded["gallery"]])
            found |= curves_of(way, rows, known, camera, "identities", seed=settings.seed)
        return found

    def expected_seconds(self, pair: Pair) -> float:
        """What all that `rows` and `compare` embed will take here, with the persons that they turn."""
        run, queries = self._run, pair.queries
        ways = ways_beside(run.settings.test_views if pair.undefined is None else ())
        num, other = len(queries.images) + len(pair.gallery.images), 0
        if validation := self._validation():
            other = len(validation.queries.images) + len(validation.gallery.images)
        num_looked = num * len(self._encoders) + other
        size_px = queries.images.height_px, queries.images.width_px
        speed = Speed.of(self._encoders["joint"], size_px, run.device)
        seconds = num_looked * sum(len(self._looks(way, queries)) for way in ways) * speed.looking
        if "turned" in ways:
            turning = Turning.of(self._turn(queries), np.arange(len(queries.images)))
            seconds += turning.seconds(num + other, num_looked * len(YAWS_DEG[1:]))
        return seconds

    def require_meshes(self, pair: Pair) -> None:
        """Raise GenreidError, before anything is embedded, where an image that is to be turned has no row."""
        if pair.undefined is None and "turned" in self._run.settings.test_views:
            other = self._validation()
            for part in (pair.queries, pair.gallery, *((other.queries, other.gallery) if other else ())):
                read_mesh(self._run, part.manifest, open_body(self._run.root, part.manifest.info.body))

    def _validation(self) -> Pair | None:
        """The pair that recommends a way beside the evaluated one; None where there is none to rank."""
        is_there = all(self._manifest.has_split(half) for half in SPLITS[_VALIDATION])
        if self._run.settings.split == _VALIDATION or not is_there:
            return None
        pair = Pair.of(self._manifest, _VALIDATION, partial(image_set, self._run))
        return pair if pair.undefined is None else None

    def _scores(self, name: str, pair: Pair, ways: list[WayName], split: str = "") -> Scores:
        return {way: score(self.rows(name, pair, way, split), pair) for way in ways}

    def _milliseconds(self, pair: Pair, way: WayName) -> float:
        num = len(pair.queries.images) + len(pair.gallery.images)
        return 1e3 * self._kept("joint", pair, way, "")["seconds"] / num

    def _kept(self, name: str, pair: Pair, way: WayName, split: str) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            begin, settings, run = time.monotonic(), self._run.settings, self._run
            looks_at = partial(self._looks, way)
            rows = embed_pair(
                self._encoders[name], pair, settings.batch_size, run.device, run.tracker, looks_at
            )
            return {"rows": rows, "seconds": time.monotonic() - begin}

        return self._run.state.keep(" ".join(["embeddings", name, way, split]).strip(), work)

    def _looks(self, way: WayName, part: Part) -> list[Look]:
        return looks(way, part.images, self._turn(part) if way == "turned" else None, YAWS_DEG[1:])

    def _turn(self, part: Part) -> Turned:
        """The persons of a part, whose textures serve both encoders."""
        for known, turned in self._turned:
            if known is part:
                return turned
        self._turned.append((part, turned_pictures(self._run, part.manifest, part.images)))
        return self._turned[-1][1]
