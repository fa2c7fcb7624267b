"""Sheets of small pictures with captions: what training and evaluation show of the generator's work.

All pictures are uint8 RGB (H,W,3) or grey (H,W); H×W is the training size of one image. Sheets are uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from genreid.errors import GenreidError

Picture = np.ndarray

PAPER = 255
INK = (40, 40, 40)
GAP_PX = 4
GROUP_GAP_PX = 16
CAPTION_PX = 20
CELL_WIDTH_PX = 96
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.45


@dataclass(frozen=True)
class GenerationRow:
    """What the generator makes of one image; pictures of one size.

    mesh: the grey view that the reconstruction is painted on. rotated: a picture for each yaw. mixed: one
    for each weight λ of the own identity. true: the true rotated views for the same yaws, where they are
    known.
    """

    image: Picture
    mesh: Picture
    reconstruction: Picture
    rotated: Sequence[Picture]
    mixed: Sequence[Picture]
    true: Sequence[Picture] | None = None


def generation_sheet(
    rows: Sequence[GenerationRow], yaws_deg: Sequence[int], lambdas: Sequence[float]
) -> Picture:
    """One row an image: image, mesh, reconstruction | rotated views | mixtures.

    Columns are labelled once, at the top. Where a row knows the true rotated views, they stand below the
    painted ones. Raises GenreidError when there is no row, or a row has not one picture for each yaw and
    weight.
    """
    _check(rows, len(yaws_deg), len(lambdas))
    width_px = rows[0].image.shape[1]
    factor = enlargement(width_px)
    columns = (
        ("", ["image", "mesh", "rebuilt"]),
        ("turned by (degrees)", [f"{yaw:d}" for yaw in yaws_deg]),
        ("mixed: share of the own identity", [f"{weight:g}" for weight in lambdas]),
    )
    groups = []
    for title, names in columns:
        if not names:
            continue
        header = beside([caption(name, factor * width_px) for name in names], GAP_PX)
        groups.append(stacked([caption(title, header.shape[1]), header], 0))
    lines = [beside(groups, GROUP_GAP_PX)]
    for row in rows:
        lines += _row_lines(row, factor)
    return framed(stacked(lines, GAP_PX), PAPER, GROUP_GAP_PX)


def enlargement(width_px: int) -> int:
    """By how much pictures of this width are enlarged on a sheet: 3 for 32 pixels, 1 from 96 on."""
    return max(1, min(4, round(CELL_WIDTH_PX / width_px)))


def enlarge(picture: Picture, factor: int) -> Picture:
    """The picture (H,W[,3]) in colour, `factor` times as large: (factor·H, factor·W, 3)."""
    colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    if factor == 1:
        return colour
    larger: Picture = cv2.resize(colour, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return larger


def caption(text: str, width_px: int, height_px: int = CAPTION_PX) -> Picture:
    """The text in the middle of an empty strip; smaller where the strip is too narrow for it."""
    strip = np.full((height_px, width_px, 3), PAPER, np.uint8)
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)
    scale = _FONT_SCALE * min(1.0, (width_px - 8) / max(1, text_width))
    shrunk = scale / _FONT_SCALE
    origin = (
        int((width_px - shrunk * text_width) / 2),
        int((height_px + shrunk * text_height) / 2),
    )
    cv2.putText(strip, text, origin, _FONT, scale, INK, 1, cv2.LINE_AA)
    return strip


def beside(pictures: Sequence[Picture], gap_px: int) -> Picture:
    """Pictures in one line, all of one height."""
    gap = np.full((pictures[0].shape[0], gap_px, 3), PAPER, np.uint8)
    return np.concatenate([part for picture in pictures for part in (gap, picture)][1:], axis=1)


def stacked(pictures: Sequence[Picture], gap_px: int) -> Picture:
    """Pictures one below the other, narrow ones filled up at the right."""
    width = max(picture.shape[1] for picture in pictures)
    gap = np.full((gap_px, width, 3), PAPER, np.uint8)
    wide = [
        np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=PAPER)
        for picture in pictures
    ]
    return np.concatenate([part for picture in wide for part in (gap, picture)][1:], axis=0)


def framed(picture: Picture, colour: int | tuple[int, int, int], thickness_px: int) -> Picture:
    """The picture with a border around it."""
    height, width = picture.shape[:2]
    frame = np.empty((height + 2 * thickness_px, width + 2 * thickness_px, 3), np.uint8)
    frame[:] = colour
    frame[thickness_px:-thickness_px, thickness_px:-thickness_px] = picture
    return frame


def _row_lines(row: GenerationRow, factor: int) -> list[Picture]:
    """The row's line of pictures and, where they are known, the line of the true views below it."""
    own = _line([row.image, row.mesh, row.reconstruction], factor)
    painted = [own, _line(row.rotated, factor)]
    if row.mixed:
        painted.append(_line(row.mixed, factor))
    if row.true is None:
        return [beside(painted, GROUP_GAP_PX)]
    true = _line(row.true, factor)
    name = caption("true views", own.shape[1], own.shape[0])
    nothing = [np.full_like(mixed, PAPER) for mixed in painted[2:]]
    return [beside(painted, GROUP_GAP_PX), beside([name, true, *nothing], GROUP_GAP_PX)]


def _line(pictures: Sequence[Picture], factor: int) -> Picture:
    return beside([enlarge(picture, factor) for picture in pictures], GAP_PX)


def _check(rows: Sequence[GenerationRow], num_yaws: int, num_weights: int) -> None:
    if not rows:
        raise GenreidError("a sheet of generated views needs at least one image; none was given")
    for row in rows:
        num_true = num_yaws if row.true is None else len(row.true)
        if (len(row.rotated), len(row.mixed), num_true) != (num_yaws, num_weights, num_yaws):
            raise GenreidError(
                f"a row has {len(row.rotated)} rotated, {len(row.mixed)} mixed and {num_true} "
                f"true views; expected {num_yaws}, {num_weights} and {num_yaws}, one for each yaw and weight"
            )
