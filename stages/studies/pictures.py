"""A study's pictures: what each arm gains and costs, what it has learnt of viewpoints, how the gain grows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genreid.evaluation.comparison import Difference
from pipeline.artifacts import atomic_write
from pipeline.pictures import MADE_BY
from stages.studies.definition import ORACLE_MARK, Study
from stages.studies.rows import KEYS, curves_of

Line = Mapping[float, tuple[str, Difference]]
"""The numbers of a series, with the arm's title there and its gain over the reference of its own study."""


@dataclass(frozen=True)
class Panel:
    """A curve of docs/study/curves: `after` of each arm along `x`, and `before` of the reference arm's, both
    worked out from columns."""

    curve: str
    x: str
    title: str
    along: str
    before: str
    after: str


PANELS = (
    Panel(
        "hits_by_viewpoint",
        "degrees_apart",
        "True matches nearer than anybody else (%)",
        "degrees between the two viewpoints",
        "warm_up",
        "joint",
    ),
    Panel(
        "spread",
        "yaw_deg",
        "Distance of the painted view, that of the nearest other = 1",
        "rotation (degrees)",
        "warm_up_generated / warm_up_nearest_other",
        "joint_generated / joint_nearest_other",
    ),
    Panel(
        "mixtures",
        "lambda",
        "Mixtures: cosine to the own prototype minus that to the other's",
        "λ",
        "warm_up_own - warm_up_other",
        "joint_own - joint_other",
    ),
    Panel(
        "identity_kept",
        "yaw_deg",
        "Painted views found first by the warm-up (share; dashed: the images)",
        "rotation (degrees)",
        "images",
        "rotated_views",
    ),
)


def draw(study: Study, compared: Mapping[str, Difference], costs: Mapping[str, float], path: Path) -> None:
    """Every arm's difference by warm-up, with mean and interval; and what it cost."""
    names = [name for name in study.arms if name in compared][::-1]
    figure = Figure(figsize=(11, 1.9 + 0.36 * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 1), sharey=True)
    for height, name in enumerate(names):
        _draw_difference(left, compared[name], height)
    for warm_up in sorted({w for one in compared.values() for w in one.by_warm_up.index}):
        left.plot([], [], "o", color=f"C{warm_up}", label=str(warm_up))
    left.legend(fontsize=8, title="warm-up", title_fontsize=8)
    left.axvline(0, color="grey", linewidth=0.8)
    left.set_yticks(range(len(names)), [study.title_of(name) for name in names])
    left.set_title(
        "dot: a warm-up (small: its pairs); bar: mean and 95 % interval, from three on", fontsize=9
    )
    left.set_xlabel(f"mAP minus that of {study.reference} (points)")
    right.barh(range(len(names)), [costs.get(name, 0.0) for name in names], color="lightgrey")
    right.axvline(1, color="grey", linewidth=0.8)
    right.set_xlabel(f"CPU time of joint training,\nthat of {study.reference} = 1")
    _save(figure, path)


def _draw_difference(axes: Axes, difference: Difference, height: float) -> None:
    for values, size in ((difference.pairs, 3), (difference.by_warm_up, 7)):
        for warm_up, value in zip(values.index.get_level_values("warm_up"), values, strict=True):
            axes.plot(value, height, "o", color=f"C{warm_up}", markersize=size, alpha=0.4 if size == 3 else 1)
    if difference.interval is not None:
        reach = difference.interval[1] - difference.mean
        axes.errorbar(difference.mean, height, xerr=reach, fmt="k|", markersize=14, capsize=4)


def draw_series(series: Mapping[str, Mapping[str, Line]], path: Path) -> None:
    """The gain along each series, a line in a colour of its own: a dot a warm-up, and the means joined."""
    figure = Figure(figsize=(6.5 * len(series), 4), layout="constrained")
    panels = figure.subplots(1, len(series), squeeze=False).flat
    for (title, lines), axes in zip(series.items(), panels, strict=True):
        places = sorted({x for line in lines.values() for x in line})
        for number, (name, line) in enumerate(lines.items()):
            # Side by side: dots of two lines at one place would hide one another.
            aside = (number - (len(lines) - 1) / 2) * 0.012 * (places[-1] - places[0])
            _draw_line(axes, name, line, aside, f"C{number}")
        axes.axhline(0, color="grey", linewidth=0.8)
        axes.set_xticks(places)
        axes.margins(x=0.08)
        axes.set_ylabel("gain in mAP over the reference (points)")
        axes.set_xlabel(title)
        axes.set_title("pale: a warm-up; full: their mean; dashed: told a part of the truth", fontsize=9)
        axes.legend(fontsize=8)
    _save(figure, path)


def _draw_line(axes: Axes, name: str, line: Line, aside: float, colour: str) -> None:
    several = len({arm for arm, _ in line.values()}) > 1
    for x, (arm, gain) in line.items():
        axes.plot([x + aside] * len(gain.by_warm_up), gain.by_warm_up, "o", color=colour, alpha=0.4)
        if several:
            axes.annotate(arm, (x + aside, gain.mean), (5, 4), textcoords="offset points", fontsize=7)
    means = [gain.mean for _, gain in line.values()]
    style = "--o" if all(arm.endswith(ORACLE_MARK) for arm, _ in line.values()) else "-o"
    axes.plot([x + aside for x in line], means, style, color=colour, label=name)


def draw_learnt(root: Path, study: Study, split: str, path: Path) -> dict[int, list[int]]:
    """Mean curves of the pictured arms over the trials that all of them have; returns their seeds by warm-up.

    Draws nothing where there are none, or where the study pictures no arm. Arms without a curve are left out.
    """
    if not study.pictured:
        return {}
    drawn = {panel: curve_points(root, study, split, panel) for panel in PANELS}
    drawn = {panel: points for panel, points in drawn.items() if len(points)}
    if not drawn:
        return {}
    figure = Figure(figsize=(11, 8), layout="constrained")
    for panel, axes in zip(drawn, figure.subplots(2, 2).flat, strict=False):
        _draw_panel(axes, panel, drawn[panel], study)
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(handles[0]), fontsize=8)
    for axes in figure.axes[len(drawn) :]:
        axes.set_axis_off()
    _save(figure, path)
    pairs = sorted({pair for points in drawn.values() for pair in _pairs(points)})
    return {warm_up: [seed for w, seed in pairs if w == warm_up] for warm_up, _ in pairs}


def curve_points(root: Path, study: Study, split: str, panel: Panel) -> pd.DataFrame:
    """The pictured arms' points of a curve, of the pairs that all arms with a curve have."""
    path = root / curves_of(study.period) / f"{panel.curve}.csv"
    if not path.exists():
        return pd.DataFrame()
    points = pd.read_csv(path)
    own = (points["study"] == study.in_rows) & (points["split"] == split)
    points = points[own & points["arm"].isin([study.reference, *study.pictured])].set_index(list(KEYS))
    points.columns = points.columns.str.removeprefix(f"{panel.curve}.")
    arms = [set(_pairs(of_arm)) for _, of_arm in points.groupby("arm")]
    common = set.intersection(*arms) if arms else set()
    return points[np.array([pair in common for pair in _pairs(points)], dtype=bool)]


def _pairs(points: pd.DataFrame) -> list[tuple[int, int]]:
    """Warm-up and seed of each row."""
    return [(row[2], row[3]) for row in points.index]


def _draw_panel(axes: Axes, panel: Panel, points: pd.DataFrame, study: Study) -> None:
    """Lines keep an arm's colour from panel to panel, whichever arms have the curve."""
    arms = dict(iter(points.groupby("arm")))

    def line(arm: str, formula: str, style: str, label: str) -> None:
        values = cast(pd.Series, arms[arm].eval(formula))
        mean = values.groupby(arms[arm][panel.x].to_numpy()).mean()
        axes.plot(mean.index, mean, style, markersize=4, label=label)

    line(study.reference, panel.before, "k--", "the warm-up")
    for number, arm in enumerate(study.pictured):
        if arm in arms:
            line(arm, panel.after, f"C{number}o-", study.title_of(arm))
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlabel(panel.along)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": MADE_BY})
