"""Curves as SVG that takes its colours and its type from the page.

matplotlib draws them: an SVG of some kilobytes, where a library that draws in the browser would bring half a
megabyte or more of its own into every page. Colours are names of the style sheet, so that one drawing serves
light and dark; the figures stand beside it as a table, for those who do not see it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _GRID = "#010203", "#040506"
_SERIES = ("#010101", "#020202", "#030303", "#040404", "#050505", "#060606")
"""Colours that nobody would see: they stand for those of the style sheet."""
_NAMES = {_INK: "currentColor", _GRID: "var(--grid)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES, start=1)
}
_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "x")
_SIZE_INCHES = (4.3, 2.6)
_SMALL_INCHES = (3.1, 1.9)


@dataclass(frozen=True)
class Chart:
    """What is drawn. series: name → points (x, y). bars: as bars side by side instead of lines. small: one of
    many."""

    title: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    bars: bool = False
    small: bool = False

    @property
    def summary(self) -> str:
        """In words, for who does not see it."""
        said = []
        for name, points in self.series.items():
            (_, first), (_, last) = points[0], points[-1]
            said.append(f"{name} from {first:.4g} to {last:.4g}")
        return f"{self.title}: {'; '.join(said)}."

    @property
    def table(self) -> list[tuple[float, list[float | None]]]:
        """A row an x: it, and the y of each series."""
        known = [dict(points) for points in self.series.values()]
        along = sorted({x for points in known for x in points})
        return [(x, [points.get(x) for points in known]) for x in along]


def draw(chart: Chart, key: str) -> str:
    """The chart as an `<svg>` element. key: a word that no other chart of the page has."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": key,
        "font.size": 9,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "text.color": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "grid.color": _GRID,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=_SMALL_INCHES if chart.small else _SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        (_draw_bars if chart.bars else _draw_lines)(axes, chart)
        axes.grid(True, linewidth=0.6)
        axes.set_axisbelow(True)
        if not chart.bars and all(float(x).is_integer() for x, _ in chart.table):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel(chart.y_label)
        if len(chart.series) > 1:
            figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        stream = StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    return _for_a_page(stream.getvalue(), chart.summary)


def _draw_lines(axes: Axes, chart: Chart) -> None:
    for number, (name, points) in enumerate(chart.series.items()):
        look = number % len(_SERIES)
        x, y = zip(*points, strict=True)
        marker = _MARKERS[look] if len(points) <= 15 else ""
        axes.plot(
            x,
            y,
            color=_SERIES[look],
            linestyle=_STYLES[look],
            marker=marker,
            markersize=4,
            label=_plain(name),
        )


def _draw_bars(axes: Axes, chart: Chart) -> None:
    along = [x for x, _ in chart.table]
    width = min(b - a for a, b in pairwise(along)) if len(along) > 1 else 1.0
    each = 0.8 * width / len(chart.series)
    for number, (name, points) in enumerate(chart.series.items()):
        shift = (number - (len(chart.series) - 1) / 2) * each
        x, y = zip(*points, strict=True)
        places = [one + shift for one in x]
        axes.bar(places, y, each, color=_SERIES[number % len(_SERIES)], label=_plain(name))
    axes.set_xticks(along[len(along) % 2 :: 1 if len(along) <= 6 else 2])


def _plain(name: str) -> str:
    """A name as it is: matplotlib hides what begins with an underscore, and typesets what is between
    dollars."""
    return name.replace("$", r"\$").lstrip("_") or "?"


def _for_a_page(svg: str, summary: str) -> str:
    """The element alone, in the page's colours, under no id that another chart could have too."""
    from html import escape

    body = svg[svg.index("<svg") :]
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    for colour, name in _NAMES.items():
        body = body.replace(colour, name)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    body = re.sub(r' (width|height)="[\d.]+pt"', "", body, count=2)
    return body.replace("<svg", f'<svg role="img" aria-label="{escape(summary)}"', 1).rstrip()
