"""A study's further pictures: what the arms have learnt of viewpoints, and how the gain grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from genreid.evaluation.comparison import Comparison, Pairing
from pipeline.artifacts import atomic_write
from pipeline.study import Study
from pipeline.study_rows import CURVES, KEYS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Panel:
    """A curve of docs/study/curves: `after` of each arm along `x`, and `before` of the reference arm's."""

    curve: str
    x: str
    title: str
    along: str
    before: Callable[[pd.DataFrame], pd.Series]
    after: Callable[[pd.DataFrame], pd.Series]


PANELS = (
    Panel(
        "hits_by_viewpoint",
        "degrees_apart",
        "True matches nearer than anybody else (%)",
        "degrees between the two viewpoints",
        lambda points: points["warm_up"],
        lambda points: points["joint"],
    ),
    Panel(
        "spread",
        "yaw_deg",
        "Distance of the painted view, that of the nearest other = 1",
        "rotation (degrees)",
        lambda points: points["warm_up_generated"] / points["warm_up_nearest_other"],
        lambda points: points["joint_generated"] / points["joint_nearest_other"],
    ),
    Panel(
        "mixtures",
        "lambda",
        "Mixtures: cosine to the own prototype minus that to the other's",
        "λ",
        lambda points: points["warm_up_own"] - points["warm_up_other"],
        lambda points: points["joint_own"] - points["joint_other"],
    ),
    Panel(
        "identity_kept",
        "yaw_deg",
        "Painted views found first by the warm-up (share; dashed: the images)",
        "rotation (degrees)",
        lambda points: points["images"],
        lambda points: points["rotated_views"],
    ),
)


@dataclass(frozen=True)
class Gain:
    """Of an arm over its study's reference, at `x` of a series."""

    arm: str
    x: float
    comparison: Comparison


def draw_learnt(root: Path, study: Study, split: str, path: Path) -> list[Pairing]:
    """Mean curves of the pictured arms over the warm-ups and seeds that all of them have; returns those.

    Draws nothing where there are none. Arms without a curve are left out.
    """
    from matplotlib.figure import Figure

    drawn = {panel: curve_points(root, study, split, panel) for panel in PANELS}
    drawn = {panel: points for panel, points in drawn.items() if len(points)}
    if not drawn:
        return []
    figure = Figure(figsize=(11, 8), layout="constrained")
    for panel, axes in zip(drawn, figure.subplots(2, 2).flat, strict=False):
        _draw_panel(axes, panel, drawn[panel], study)
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(handles[0]), fontsize=8)
    for axes in figure.axes[len(drawn) :]:
        axes.set_axis_off()
    _save(figure, path)
    return sorted({pair for points in drawn.values() for pair in _pairs(points)})


def draw_series(gains: Mapping[str, Sequence[Gain]], path: Path) -> None:
    """The gain along each series: a dot a pair, and mean with standard error joined by a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * max(len(gains), 1), 4), layout="constrained")
    panels = figure.subplots(1, len(gains), squeeze=False).flat
    for (title, points), axes in zip(gains.items(), panels, strict=True):
        _draw_gains(axes, sorted(points, key=lambda gain: gain.x))
        axes.set_xlabel(title)
    _save(figure, path)


def _draw_gains(axes: Axes, gains: Sequence[Gain]) -> None:
    xs, means, errors = [], [], []
    for gain in gains:
        difference = gain.comparison.difference
        assert difference is not None, f"{gain.arm} is the reference itself"
        pairs = list(difference.pairs.values())
        xs.append(gain.x)
        means.append(difference.mean)
        # A single pair has no error.
        errors.append(difference.standard_error if len(pairs) > 1 else 0)
        axes.plot([gain.x] * len(pairs), pairs, "o", color="grey", alpha=0.45)
        axes.annotate(gain.arm, (gain.x, means[-1]), xytext=(5, 4), textcoords="offset points", fontsize=7)
    axes.errorbar(xs, means, yerr=errors, fmt="ko-", capsize=4)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set_ylabel("gain in mAP (points)")


def curve_points(root: Path, study: Study, split: str, panel: Panel) -> pd.DataFrame:
    """The pictured arms' points of a curve, of the pairs that all arms with a curve have; rows by KEYS."""
    path = root / CURVES / f"{panel.curve}.csv"
    if not path.exists():
        return pd.DataFrame()
    points = pd.read_csv(path, index_col=list(KEYS))
    points.columns = points.columns.str.removeprefix(f"{panel.curve}.")
    arm = points.index.get_level_values("arm")
    of_split = (points.index.get_level_values("study") == study.name) & (
        points.index.get_level_values("split") == split
    )
    points = points[of_split & arm.isin([study.reference, *study.pictured])]
    arms = points.index.get_level_values("arm").unique()
    if arms.empty:
        return points
    common = set.intersection(*(set(_pairs(_of_arm(points, arm))) for arm in arms))
    return points[[pair in common for pair in _pairs(points)]]


def _pairs(points: pd.DataFrame) -> list[Pairing]:
    """Warm-up and seed of each row."""
    levels = (points.index.get_level_values(name) for name in ("warm_up", "seed"))
    return [(int(warm_up), int(seed)) for warm_up, seed in zip(*levels, strict=True)]


def _of_arm(points: pd.DataFrame, arm: str) -> pd.DataFrame:
    return points[points.index.get_level_values("arm") == arm]


def _draw_panel(axes: Axes, panel: Panel, points: pd.DataFrame, study: Study) -> None:
    """Lines keep an arm's colour from panel to panel, whichever arms have the curve."""
    reference = _of_arm(points, study.reference)
    _draw_mean(axes, reference[panel.x], panel.before(reference), "k--", "the warm-up")
    for number, arm in enumerate(study.pictured):
        own = _of_arm(points, arm)
        if len(own):
            _draw_mean(axes, own[panel.x], panel.after(own), f"C{number}o-", arm)
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlabel(panel.along)


def _draw_mean(axes: Axes, x: pd.Series, y: pd.Series, style: str, label: str) -> None:
    mean = y.groupby(x.to_numpy()).mean()
    axes.plot(mean.index, mean, style, markersize=4, label=label)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
