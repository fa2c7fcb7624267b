"""docs/performance.md and its picture, from the rows of docs/performance.csv: `python -m benchmarks.report`.

The page's text between the two marks is made anew; what stands outside them is written by hand and stays.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import Row, read_rows, table

PAGE, PICTURE = Path("docs/performance.md"), Path("docs/images/scaling.png")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PACKAGES = ("torch", "numpy", "numba", "scikit-learn", "scipy")


def write() -> None:
    """Both files."""
    rows = read_rows()
    if any(row.benchmark == "pseudo-labels" for row in rows):
        draw_scaling(rows)
    text = PAGE.read_text() if PAGE.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{measured_text(rows)}\n{END}{rest.partition(END)[2]}")


def measured_text(rows: Sequence[Row]) -> str:
    dates = sorted({row.date for row in rows})
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    where = (
        f"{_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB; Python {platform.python_version()}"
    )
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    alternatives = {row.benchmark: row.alternative for row in rows if row.alternative}
    named = "\n".join(f"- **{name}** is held against: {words}." for name, words in alternatives.items())
    picture = "![Time and memory against N](images/scaling.png)" if PICTURE.exists() else ""
    return (
        f"Measured {when} on {where}; {versions}. `python -m benchmarks.run quick`, then `full`.\n\n"
        f"{table(rows)}\n\n{named}\n\n{picture}".rstrip()
    )


def draw_scaling(rows: Sequence[Row]) -> None:
    """Time and memory against N: ours, exact and approximate, and the dense loop."""
    from matplotlib.figure import Figure

    exact = sorted(
        (row for row in rows if row.benchmark == "pseudo-labels" and "falling" in row.setting),
        key=lambda row: row.size,
    )
    rough = sorted((row for row in rows if row.benchmark == "approximate"), key=lambda row: row.size)
    dense = [row for row in exact if row.field_s == row.field_s]
    curves = [
        ("dense loop", dense, "field_cpu_s", "field_mb", "#b5403a", "o"),
        ("genreid, exact", exact, "ours_cpu_s", "ours_mb", "#1f6f8b", "s"),
        ("genreid, approximate", rough, "ours_cpu_s", "ours_mb", "#7a9e3f", "^"),
    ]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    for axes, place, label in zip(
        figure.subplots(1, 2), (2, 3), ("CPU seconds", "memory above the features, MB"), strict=True
    ):
        for curve in curves:
            name, points, colour, mark = curve[0], curve[1], curve[4], curve[5]
            values = [max(getattr(row, curve[place]), 1e-3) for row in points]
            axes.loglog([row.size for row in points], values, marker=mark, color=colour, label=name)
        axes.set_xlabel("images N")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3, which="both", linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    figure.suptitle(
        "Neighbours, Jaccard distance and DBSCAN, 2048-d (approximate at 1,000,000: 256-d)", fontsize=10
    )
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3


if __name__ == "__main__":
    write()
