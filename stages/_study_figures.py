"""The figures of a study's finished trials, by arm, warm-up and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from genreid.evaluation.comparison import Pairing, compare
from pipeline.errors import PipelineError
from pipeline.study import Point, Study, load_study
from pipeline.study_rows import RUNS, Row, read_rows
from stages._study_curves import Gain

_COST = "cpu_seconds"
_SCORE = "joint.mAP"


def require_one_encoder_a_warm_up(rows: Sequence[Row]) -> None:
    """Another processor rounds otherwise, and its warm-up of the same seed is another encoder."""
    encoders: dict[str, dict[str, str]] = {}
    for row in rows:
        encoders.setdefault(row["warm_up"], {})[row["warm_up_fingerprint"]] = row.get("machine") or "unknown"
    for warm_up, found in encoders.items():
        if len(found) > 1:
            made = "; ".join(f"{fingerprint} on {machine}" for fingerprint, machine in sorted(found.items()))
            raise PipelineError(
                f"{RUNS}: trials of warm-up {warm_up} start from {len(found)} encoders ({made}), so that "
                "their difference is not the arms'; delete the rows of all but one, and run the study again"
            )


def figures_of(rows: Sequence[Row], column: str) -> dict[str, dict[Pairing, float]]:
    """By arm, then by warm-up and seed: the value of a column, where it has one."""
    found: dict[str, dict[Pairing, float]] = {}
    for row in rows:
        if value := row.get(column):
            found.setdefault(row["arm"], {})[int(row["warm_up"]), int(row["seed"])] = float(value)
    return found


def cost_ratios(rows: Sequence[Row], reference: str) -> dict[str, float]:
    """By arm: CPU time of joint training over the reference's, mean over the pairs that have both.

    A ratio, since seconds of two machines cannot be put together. Trials that are scored on other identities
    train as these do, and DVC does not train them again: they need not be told apart.
    """
    costs = figures_of(rows, _COST)
    base = costs.get(reference, {})
    found = {}
    for arm, own in costs.items():
        ratios = [cost / base[pair] for pair, cost in own.items() if pair in base]
        if ratios:
            found[arm] = sum(ratios) / len(ratios)
    return found


def gains_of(root: Path, study: Study, split: str) -> dict[str, list[Gain]]:
    """The study's series, of the arms that share a pair with the reference of their own study.

    Arms of one study are compared over the warm-ups and seeds that all of them have. One arm is no series.
    """
    rows = [row for row in read_rows(root / RUNS) if row["split"] == split]
    found: dict[str, list[Gain]] = {}
    for title, points in study.series.items():
        for name in dict.fromkeys(point.study for point in points):
            of_study = study if name == study.name else load_study(root, name)
            own = figures_of([row for row in rows if row["study"] == name], _SCORE)
            if gains := _gains(own, of_study.reference, [point for point in points if point.study == name]):
                found.setdefault(title, []).extend(gains)
    return {title: gains for title, gains in found.items() if len(gains) > 1}


def _gains(
    figures: Mapping[str, Mapping[Pairing, float]], reference: str, points: Sequence[Point]
) -> list[Gain]:
    known = [point for point in points if point.arm in figures and point.arm != reference]
    if not known or reference not in figures:
        return []
    names = {reference, *(point.arm for point in known)}
    pairs = set.intersection(*(set(figures[name]) for name in names))
    if not pairs:
        return []
    compared = compare({name: {pair: figures[name][pair] for pair in pairs} for name in names}, reference)
    return [Gain(point.arm, point.x, compared[point.arm]) for point in known]
