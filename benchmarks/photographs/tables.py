"""The tables of views on photographs, in Markdown. Means are over persons, each with its own mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.photographs.means import Mean
from benchmarks.photographs.scale import LISTS, TURNS_DEG, Measured, over_persons

_APART_DEG = (45, 90, 135, 180)


def head_of_ways() -> str:
    """The head of the table whose lines are `line_of_way`."""
    columns = ["colour, upper", "colour, lower", "L1", "SSIM", "map"]
    columns += [f"{name}: rank-1, mAP" for name in LISTS]
    columns += [f"mAP of {LISTS[0]} less the image's", "CPU ms"]
    return _head("view", columns)


def line_of_way(measured: Measured, unturned: Measured, person: np.ndarray) -> str:
    """One way; unturned: the image itself; person: (N,)."""
    figures = {name: over_persons(values, person)[0] for name, values in measured.figures().items()}
    cells = [f"{figures[name]:.3f}" for name in ("colour_upper", "colour_lower", "l1", "ssim", "maps")]
    cells += [
        f"{100 * figures[f'{name}, rank-1']:.1f}, {100 * figures[f'{name}, mAP']:.1f}" for name in LISTS
    ]
    gain = measured.found[LISTS[0]].precision - unturned.found[LISTS[0]].precision
    mean, error = over_persons(gain, person)
    cells += [f"{100 * mean:+.1f} ± {100 * error:.1f}", f"{measured.cpu_ms:.1f}"]
    return _line(measured.name, cells)


def table_by_angle(ways: Sequence[Measured], person: np.ndarray) -> str:
    """By how far the person is turned, to either side."""
    apart = " ".join(str(angle) for angle in _APART_DEG)
    kinds = ["colour", "map", f"rank-1, {LISTS[0]} (%)", f"mAP, {LISTS[2]} (%)"]
    lines = [_head("view", [f"{kind} at {apart}" for kind in kinds])]
    for way in ways:
        figures = way.figures()
        colour = (figures["colour_upper"] + figures["colour_lower"]) / 2
        shown = [
            (colour, 1, 3),
            (figures["maps"], 1, 3),
            (figures[f"{LISTS[0]}, rank-1"], 100, 1),
            (figures[f"{LISTS[2]}, mAP"], 100, 1),
        ]
        lines.append(_line(way.name, [_by_angle(values, person, *form) for values, *form in shown]))
    return "\n".join(lines)


def table_of_means(means: Sequence[Mean], beside: str, person: np.ndarray) -> str:
    """beside: the name of the row whose mAP is taken off in the last column."""
    control = next(mean for mean in means if mean.name == beside)
    columns = ["mAP", "rank-1", "mAP, opposite sides", "mAP, cameras not centred", f"mAP less that {beside}"]
    lines = [_head("embedding of an image", columns)]
    for mean in means:
        every = mean.precision, mean.first, mean.opposite, mean.plain
        cells = [f"{100 * over_persons(values, person)[0]:.1f}" for values in every]
        gain, error = over_persons(mean.precision - control.precision, person)
        lines.append(_line(mean.name, [*cells, f"{100 * gain:+.1f} ± {100 * error:.1f}"]))
    return "\n".join(lines)


def _by_angle(values: np.ndarray, person: np.ndarray, times: float, digits: int) -> str:
    """values (N, Y), at each of the angles apart."""
    apart = np.minimum(np.array(TURNS_DEG), 360 - np.array(TURNS_DEG))
    means = [over_persons(values[:, apart == angle], person)[0] for angle in _APART_DEG]
    return " ".join(f"{times * mean:.{digits}f}" for mean in means)


def _head(first: str, columns: Sequence[str]) -> str:
    return _line(first, columns) + "\n|---|" + "---:|" * len(columns)


def _line(first: str, cells: Sequence[str]) -> str:
    return f"| {first} | " + " | ".join(cells) + " |"
