"""Sheets of photographs and their turned views, to be looked at: for the user's own eyes, on his own disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.photographs.crops import Photographs
from benchmarks.photographs.ways import People, warped
from genreid.render.sheets import GAP_PX, GROUP_GAP_PX, PAPER, beside, caption, enlarge, framed, stacked
from pipeline.artifacts import write_bytes
from pipeline.pictures import png

PICTURED_DEG = (90, 180)
_ROWS, _COLUMNS = 5, 2
_ENLARGED = 2


def pictured(photographs: Photographs) -> np.ndarray:
    """Two photographs of each person and camera, from opposite sides; from pair to pair the next side."""
    pairs = np.unique(np.column_stack([photographs.person, photographs.camera]), axis=0)
    found = []
    for number, (person, camera) in enumerate(pairs):
        for heading in (45 * number % 360, (45 * number + 180) % 360):
            own = (photographs.person == person) & (photographs.camera == camera)
            found += np.flatnonzero(own & (photographs.heading_deg == heading)).tolist()
    return np.array(found, np.int64)


def write_sheets(folder: Path, people: People) -> None:
    """PNG sheets `views-00.png` …: each photograph with its warped views and, right of each, the true one."""
    index = pictured(people.photographs)
    cells = _cells(people, index)
    per_sheet = _ROWS * _COLUMNS
    for number in range(-(-len(cells) // per_sheet)):
        some = cells[number * per_sheet : (number + 1) * per_sheet]
        lines = [
            beside(some[start : start + _COLUMNS], GROUP_GAP_PX) for start in range(0, len(some), _COLUMNS)
        ]
        write_bytes(
            folder / f"views-{number:02d}.png", png(framed(stacked(lines, GAP_PX), PAPER, GROUP_GAP_PX))
        )


def _cells(people: People, index: np.ndarray) -> list[np.ndarray]:
    """One picture for each of the photographs at `index`: itself, then view and truth at each angle."""
    photographs, make = people.photographs, warped(people)
    columns = [photographs.load(index)]
    for yaw_deg in PICTURED_DEG:
        target = photographs.turned(index, yaw_deg)
        true = photographs.load(np.maximum(target, 0))
        true[target < 0] = PAPER
        columns += [make(index, yaw_deg).pictures, true]
    cells = []
    for row, position in enumerate(index):
        strip = beside([enlarge(column[row], _ENLARGED) for column in columns], GAP_PX)
        cells.append(stacked([caption(photographs.image_id[position], strip.shape[1]), strip], 0))
    return cells
