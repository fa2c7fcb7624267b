"""What `evaluate` finds out about views and backgrounds without any true view, as tables that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

BACKGROUNDS = {
    "images": "the image itself",
    "outline": "without the body's outline",
    "mask": "without mask and outline",
    "true_mask": "without the person as drawn",
    "chance": "any order (chance)",
}
COLOURS = {
    "rotated": "view turned that way",
    "original": "image unturned",
    "opposite_rotated": "view turned by 135° or more",
    "opposite_original": "image unturned, seen from there",
    "same_side": "two images from one side",
}
UNMEASURED = {
    "backgrounds": "What backgrounds tell of persons was not measured",
    "colours": "Colours of views were not held against other images",
}


def print_views(console: Console, metrics: Mapping[str, Any]) -> None:
    """Both tables, each where its figures are there, or else the reason."""
    # Not as the tables' titles, which would be broken at the tables' width.
    if (found := metrics.get("backgrounds")) is not None:
        _say(console, f"Persons in other cameras found by what is left of {found['queries']} images (%)")
        console.print(backgrounds_table(found))
    if (found := metrics.get("colours")) is not None:
        _say(console, f"Error of mean colours to {found['pairs']} other images of the persons (0 to 1)")
        console.print(colours_table(found))
    for name, line in UNMEASURED.items():
        if (key := f"{name}_unmeasured") in metrics:
            _say(console, f"{line}: {metrics[key]}.")


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)


def backgrounds_table(figures: Mapping[str, float]) -> Table:
    """A row for what is left of the queries; see `genreid.evaluation.background_leak`."""
    table = Table()
    table.add_column("query")
    for name in ("rank-1", "mAP"):
        table.add_column(name, justify="right")
    for key, name in BACKGROUNDS.items():
        if f"{key}_mAP" in figures:
            table.add_row(name, *(f"{figures[f'{key}_{one}']:.1f}" for one in ("rank_1", "mAP")))
    return table


def colours_table(figures: Mapping[str, float]) -> Table:
    """A row for what is held against another image of the person; see `genreid.evaluation.view_colours`."""
    table = Table()
    table.add_column("")
    halves = ("upper", "lower")
    for half in halves:
        table.add_column(f"{half} half", justify="right")
    for key, name in COLOURS.items():
        cells = [figures.get(f"{key}_{half}") for half in halves]
        if any(cell is not None for cell in cells):
            table.add_row(name, *("–" if cell is None else f"{cell:.3f}" for cell in cells))
    return table
