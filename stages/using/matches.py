"""What a similarity says of whether two images are of one person, for the commands that compare images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.artifacts import read_json_artifact
from pipeline.errors import PipelineError
from stages.shared.matches import MEASURED, curves_from
from stages.shared.run import Project
from stages.using.checkpoint import Checkpoint

if TYPE_CHECKING:
    from genreid.data.settings import WayName
    from genreid.evaluation.matches import MatchCurve

_SOURCES = {
    "identities": "measured on validation identities",
    "pseudo-identities": "estimated from pseudo-identities of training images",
}


@dataclass(frozen=True)
class Matching:
    """How often different persons are as alike as two images, for embeddings made in one way."""

    curve: MatchCurve

    def odds(self, similarity: float) -> str:
        """The false match rate of a cut at this similarity, for people: `1 in 2,300`."""
        rate = self.curve.false_matches_at(similarity)
        if not self.curve.tells(rate):
            return f"under 1 in {self.curve.num_different:,}"
        return f"1 in {1 / rate:,.0f}" if rate < 0.1 else f"{100 * rate:.0f} %"

    @property
    def note(self) -> str:
        """What the figures are, and where they come from."""
        return (
            "false matches: pairs of different persons in two cameras that are at least as alike, "
            f"{_SOURCES[self.curve.source]}"
        )


def matching_for(project: Project, checkpoint: Checkpoint, way: WayName, *, centred: bool) -> Matching | None:
    """What `evaluate` has measured for this checkpoint, else what training has estimated; None where neither
    tells of embeddings that were made in this way. centred: less the means of their cameras.
    """
    from genreid.evaluation.matches import curve_name

    name = curve_name(way, centred)
    estimated = curves_from(checkpoint.matches, checkpoint.place, "train it again")
    curve = _measured(project, checkpoint).get(name, estimated.get(name))
    return None if curve is None else Matching(curve)


def require_matching(found: Matching | None, checkpoint: Checkpoint, way: WayName) -> Matching:
    """Raises PipelineError where nothing is known that a cut could be taken from."""
    if found is None:
        raise PipelineError(
            f"--at-false-match-rate: nobody has counted the matches of {checkpoint.place} with --views "
            f"{way}: run `dvc repro` with validation identities (prepare_data.val_identities) and this way "
            "in evaluate.test_views, or embed with --views image"
        )
    return found


def _measured(project: Project, checkpoint: Checkpoint) -> dict[str, MatchCurve]:
    path = project.path("plots") / "evaluate" / MEASURED
    if not path.exists():
        return {}
    remedy = project.remedy("metrics")
    content = read_json_artifact(path, remedy)
    if content.get("checkpoint") != checkpoint.fingerprint:
        return {}
    return curves_from(content.get("curves"), str(path), remedy)
