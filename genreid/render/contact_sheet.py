"""One row a person, one column a camera."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

MOST_ROWS, MOST_COLUMNS = 12, 16
"""Of a sheet of a data set."""

_PAPER = 250


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray | None]], cell_height_px: int = 192, gap_px: int = 4
) -> np.ndarray:
    """Put pictures of any size side by side.

    Args:
        rows: one sequence of (h, w, 3) uint8 RGB pictures a person, one entry a camera; None leaves the
            place empty.
        cell_height_px: height that pictures are scaled to.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    num_columns = max(len(row) for row in rows)
    some = next(image for row in rows for image in row if image is not None)
    cell_width_px = round(cell_height_px * some.shape[1] / some.shape[0])
    step_y, step_x = cell_height_px + gap_px, cell_width_px + gap_px
    sheet = np.full((len(rows) * step_y + gap_px, num_columns * step_x + gap_px, 3), _PAPER, dtype=np.uint8)
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            if image is not None:
                top, left = gap_px + r * step_y, gap_px + c * step_x
                shrinks = image.shape[0] > cell_height_px
                sheet[top : top + cell_height_px, left : left + cell_width_px] = cv2.resize(
                    image,
                    (cell_width_px, cell_height_px),
                    interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC,
                )
    return sheet


def cells_by_identity(person_id: Sequence[int], camera_id: Sequence[int]) -> list[list[int | None]]:
    """Which of N images to show: of the persons that most cameras see, the first image of each camera.

    person_id, camera_id: (N,); images with a person_id of 0 or less are nobody's. Returns positions, a row a
    person and a column a camera, None where the person was not seen; no row where no person is known.
    """
    first: dict[int, dict[int, int]] = {}
    for position, (person, camera) in enumerate(zip(person_id, camera_id, strict=True)):
        if person > 0:
            first.setdefault(person, {}).setdefault(camera, position)
    persons = sorted(first, key=lambda person: (-len(first[person]), person))[:MOST_ROWS]
    cameras = sorted({camera for person in persons for camera in first[person]})[:MOST_COLUMNS]
    return [[first[person].get(camera) for camera in cameras] for person in sorted(persons)]
