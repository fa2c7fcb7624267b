"""A study's picture: what each arm gains, trial by trial, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genreid.evaluation.comparison import Comparison
from pipeline.artifacts import atomic_write
from pipeline.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES_AN_INCH = 6
"""Names that can stand above one another beside the picture of costs."""


def draw(study: Study, compared: Mapping[str, Comparison], costs: Mapping[str, float], path: Path) -> None:
    """Every pair's difference with mean and standard error; and the gain against what joint training cost."""
    from matplotlib.figure import Figure

    arms = [arm.name for arm in study.arms if arm.name in compared]
    figure = Figure(figsize=(11, 1.5 + 0.42 * len(arms)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_differences(left, {name: compared[name] for name in arms}, study.reference)
    lines = LINES_AN_INCH * figure.get_figheight()
    _draw_costs(right, {name: compared[name] for name in arms}, costs, lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _draw_differences(axes: Axes, compared: Mapping[str, Comparison], reference: str) -> None:
    names = [name for name, one in compared.items() if one.difference is not None][::-1]
    for height, name in enumerate(names):
        difference = compared[name].difference
        assert difference is not None
        for (warm_up, _), value in difference.pairs.items():
            axes.plot(value, height, "o", color=f"C{warm_up}", alpha=0.45, markersize=5)
        error = difference.standard_error
        axes.errorbar(
            difference.mean,
            height,
            xerr=None if math.isnan(error) else error,
            fmt="k|",
            markersize=14,
            capsize=4,
        )
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.set_xlabel(f"mAP minus that of {reference} (points)\ndots: pairs, one colour a warm-up; bar: error")


def _draw_costs(
    axes: Axes, compared: Mapping[str, Comparison], costs: Mapping[str, float], lines: float
) -> None:
    differences = {name: compared[name].difference for name in compared if name in costs}
    gains = {name: difference.mean if difference else 0.0 for name, difference in differences.items()}
    for (name, gain), height in zip(gains.items(), apart(list(gains.values()), lines), strict=True):
        axes.plot(costs[name], gain, "o")
        # Beside the picture, at heights where no two names meet.
        axes.annotate(
            name,
            (costs[name], gain),
            xytext=(1.03, height),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=7,
            arrowprops={"arrowstyle": "-", "color": "grey", "linewidth": 0.4},
        )
    axes.set_xlabel("CPU time of joint training, the reference's = 1")
    axes.set_ylabel("difference in mAP (points)")


def apart(values: Sequence[float], lines: float) -> list[float]:
    """The values, lifted where two of them are closer than a line of text, of which `lines` span them all."""
    gap = (max(values, default=0) - min(values, default=0)) / lines
    lifted, last = [0.0] * len(values), -math.inf
    for place in sorted(range(len(values)), key=values.__getitem__):
        last = lifted[place] = max(values[place], last + gap)
    return lifted
