"""docs/performance.md and its picture, from the rows of docs/performance.csv: `python -m benchmarks.report`.

The page's text between the two marks is made anew; what stands outside them is written by hand and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, read_rows, table

PAGE, PICTURE = Path("docs/performance.md"), Path("docs/images/scaling.png")
RED, BLUE, GREEN = "#b5403a", "#1f6f8b", "#7a9e3f"
IMAGES = {3e3: "3,000", 1e4: "10,000", 3e4: "30,000", 1e5: "100,000", 3e5: "300,000", 1e6: "1,000,000"}
SECONDS = {0.1: "0.1 s", 1: "1 s", 10: "10 s", 100: "100 s", 1e3: "1,000 s", 1e4: "10,000 s"}
MEGABYTES = {10: "10 MB", 100: "100 MB", 1e3: "1 GB", 1e4: "10 GB", 1e5: "100 GB"}
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write() -> None:
    """Both files."""
    rows = read_rows()
    if any(row.benchmark == "pseudo-labels" for row in rows):
        draw_scaling(rows)
    text = PAGE.read_text() if PAGE.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{measured_text(rows)}\n{END}{rest.partition(END)[2]}")


def measured_text(rows: Sequence[Row]) -> str:
    places = sorted({row.where for row in rows})
    said = [_place_text(place, rows, alone=len(places) == 1) for place in places]
    alternatives = {row.benchmark: row.alternative for row in rows if row.alternative}
    named = "\n".join(f"- **{name}** is held against: {words}." for name, words in alternatives.items())
    picture = "![Time and memory against N](images/scaling.png)" if PICTURE.exists() else ""
    return "\n\n".join([*said, table(rows), named, picture]).rstrip()


def _place_text(place: str, rows: Sequence[Row], *, alone: bool) -> str:
    own = [row for row in rows if row.where == place]
    dates = sorted({row.date for row in own})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    which = "" if alone else ": " + "; ".join(f"{row.benchmark} ({row.setting})" for row in own)
    return f"Measured {when} on {place}. `python -m benchmarks.run quick`, then `full`{which}."


def draw_scaling(rows: Sequence[Row]) -> None:
    """Time and memory against N: ours, exact and approximate, and the dense loop."""
    from matplotlib.figure import Figure

    exact = _curve(rows, "pseudo-labels", "falling spectrum")
    rough = _curve(rows, "approximate", "pca_bound")
    dense = [row for row in exact if row.field_s == row.field_s]
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, kind, names in ((left, "cpu_s", SECONDS), (right, "mb", MEGABYTES)):
        _draw_side(axes, f"field_{kind}", dense, "dense loop", RED, "o")
        _draw_side(axes, f"ours_{kind}", exact, "genreid, exact", BLUE, "s")
        _draw_side(axes, f"ours_{kind}", rough, "genreid, approximate", GREEN, "^")
        _extrapolate(axes, f"field_{kind}", dense, exact[-1].size)
        axes.set_xscale("log"), axes.set_yscale("log")
        _name_ticks(axes.xaxis, IMAGES, axes.get_xlim())
        _name_ticks(axes.yaxis, names, axes.get_ylim())
        axes.set_xlabel("images N")
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_title("CPU time, over all threads", loc="left", fontsize=10)
    right.set_title("memory above the features", loc="left", fontsize=10)
    left.legend(frameon=False, loc="upper left", fontsize=9)
    narrow = " (the approximate million: 256-d)" if any(row.size == 1_000_000 for row in rough) else ""
    title = f"Neighbours, Jaccard distance, DBSCAN; 2048-d{narrow}. Dashed: extrapolated as N²"
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=120)


def _curve(rows: Sequence[Row], benchmark: str, ending: str) -> list[Row]:
    chosen = [row for row in rows if row.benchmark == benchmark and row.setting.endswith(ending)]
    return sorted(chosen, key=lambda row: row.size)


def _draw_side(axes: Any, name: str, rows: Sequence[Row], label: str, colour: str, mark: str) -> None:
    if not rows:
        return
    values = [max(getattr(row, name), 1e-3) for row in rows]
    axes.plot([row.size for row in rows], values, marker=mark, color=colour, label=label, markersize=5)


def _extrapolate(axes: Any, name: str, rows: Sequence[Row], size: int) -> None:
    """On from the last measurement as N², which is what a dense matrix takes."""
    if rows and rows[-1].size < size:
        first, value = rows[-1].size, getattr(rows[-1], name)
        values = [value, value * (size / first) ** 2]
        axes.plot([first, size], values, color=RED, linestyle=(0, (4, 3)), linewidth=1.2)


def _name_ticks(axis: Any, names: Mapping[float, str], limits: tuple[float, float]) -> None:
    shown = {place: name for place, name in names.items() if limits[0] <= place <= limits[1]}
    axis.set_ticks(list(shown), list(shown.values()))
    axis.set_ticks([], minor=True)


if __name__ == "__main__":
    write()
