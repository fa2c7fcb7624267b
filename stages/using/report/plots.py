"""Which curves the page has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.using.report.charts import Chart
from stages.using.report.gathering import Gathered, Rows, Run

if TYPE_CHECKING:
    from stages.using.report.bodies import Headings

_MOST_SERIES = 3
"""Curves of a run that share a chart with those of another; more are two charts."""


@dataclass(frozen=True)
class _Kind:
    """A curve of evaluate's: title, column of x, what x and y are called, and its columns with their
    names."""

    title: str
    x: str
    x_label: str
    y_label: str
    columns: Mapping[str, str]


_ENCODERS = {"warm_up": "warm-up", "joint": "joint training"}
_KINDS = {
    "cmc": _Kind("CMC", "rank", "rank", "queries found (%)", _ENCODERS),
    "det": _Kind(
        "Same person or not (DET)",
        "log10_false_match_rate",
        "log10 of the share of others taken for one",
        "pairs of one person missed (%)",
        {"measured": "measured on validation identities", "estimated": "estimated by training"},
    ),
    "hits_by_viewpoint": _Kind(
        "True matches nearer than anybody else, by viewpoint",
        "degrees_apart",
        "degrees between the two viewpoints",
        "pairs (%)",
        _ENCODERS,
    ),
    "spread": _Kind(
        "Distance of rotated views from their image",
        "yaw_deg",
        "rotation (degrees)",
        "1 − cosine",
        {
            "warm_up_generated": "warm-up, generated",
            "warm_up_true": "warm-up, true",
            "warm_up_nearest_other": "warm-up, nearest other person",
            "joint_generated": "joint, generated",
            "joint_true": "joint, true",
            "joint_nearest_other": "joint, nearest other person",
        },
    ),
    "identity_kept": _Kind(
        "Rank-1 of generated views as queries",
        "yaw_deg",
        "rotation (degrees)",
        "share found first",
        {"images": "the images", "rotated_views": "rotated views"},
    ),
    "mixtures": _Kind(
        "Mixtures between the prototypes of two persons",
        "lambda",
        "λ",
        "cosine",
        {
            "warm_up_own": "warm-up, own",
            "warm_up_other": "warm-up, other's",
            "joint_own": "joint, own",
            "joint_other": "joint, other's",
        },
    ),
}


def curve_charts(gathered: Gathered) -> list[Chart]:
    """Evaluate's curves; those of the other run in the same chart, or in one of their own where there are
    many."""
    found = []
    for key, kind in _KINDS.items():
        mine, theirs = (_series(run, key, kind) for run in (gathered.run, gathered.other))
        if gathered.other is None or not theirs:
            together = [(kind.title, mine)]
        elif len(kind.columns) <= _MOST_SERIES:
            both = _named(mine, gathered.run.name) | _named(theirs, gathered.other.name)
            together = [(kind.title, both)]
        else:
            together = [
                (f"{kind.title}, {run.name}", series)
                for run, series in ((gathered.run, mine), (gathered.other, theirs))
            ]
        found += [Chart(title, kind.x_label, kind.y_label, series) for title, series in together if series]
    return found


def _named(series: Mapping[str, list[tuple[float, float]]], run: str) -> dict[str, list[tuple[float, float]]]:
    return {f"{name}, {run}": points for name, points in series.items()}


def _series(run: Run | None, key: str, kind: _Kind) -> dict[str, list[tuple[float, float]]]:
    rows: Rows = [] if run is None else list(run.curves.get(key, []))
    points = {
        name: [(row[kind.x], row[column]) for row in rows if kind.x in row and column in row]
        for column, name in kind.columns.items()
    }
    return {name: found for name, found in points.items() if found}


def training_charts(gathered: Gathered) -> dict[str, list[Chart]]:
    """A small chart a figure, by stage; with the other run's curve where it has one."""
    other = gathered.other
    found: dict[str, list[Chart]] = {}
    for stage, figures in gathered.run.training.items():
        for name, steps in figures.items():
            if other is None:
                series = {name: sorted(steps.items())}
            else:
                series = {gathered.run.name: sorted(steps.items())}
                if theirs := other.training.get(stage, {}).get(name):
                    series[other.name] = sorted(theirs.items())
            found.setdefault(stage, []).append(Chart(name, "epoch", "", series, small=True))
    return found


def heading_chart(headings: Headings) -> Chart | None:
    """None where no body was found."""
    series = {"estimated": sorted(headings.shares.items())}
    if headings.true_shares:
        series["true"] = sorted(headings.true_shares.items())
    series = {name: points for name, points in series.items() if points}
    if not series:
        return None
    title = "Headings (0 faces the camera, 180 faces away)"
    return Chart(title, "degrees", "bodies (%)", series, bars=True)
