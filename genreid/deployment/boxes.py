"""Detectors' and trackers' boxes of persons: the text files of MOTChallenge, and COCO's JSON.

N boxes. A box is left, top, width and height in pixels of its frame; the frame's corner is (0, 0).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genreid.data.files import read_file
from genreid.errors import GenreidError

PERSONS = ("person", "pedestrian")
_FORMATS = "a text file as MOTChallenge has them (det.txt, gt.txt) or COCO's JSON"
_MOT_COLUMNS = "frame, id, left, top, width, height"
_GROUND_TRUTH_COLUMNS = 9
_PEDESTRIAN_CLASS = 1.0
_SHOWN = 60


@dataclass(frozen=True)
class Boxes:
    """In the file's order.

    frame: N numbers or names of frames. ltwh: (N, 4) float64. score: (N,) float64, NaN where there is none.
    track: N identifiers, None where there is none. left_out: why others of the file are not here, and how
    many.
    """

    frame: list[int | str]
    ltwh: np.ndarray
    score: np.ndarray
    track: list[int | None]
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class _Box:
    frame: int | str
    ltwh: tuple[float, ...]
    score: float
    track: int | None


def read_boxes(path: Path) -> Boxes:
    """The boxes of persons in a file of either format, told by its first character.

    A COCO file with a category called person or pedestrian gives the boxes of that alone, and no crowds; a
    ground truth of MOTChallenge the pedestrians that are to be judged. Raises GenreidError where it is
    neither, with the place.
    """
    if path.is_dir():
        raise GenreidError(f"{path} is a folder; name a file of boxes: {_FORMATS}")
    try:
        text = read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise GenreidError(f"{path} is no text: expected {_FORMATS}") from None
    left_out: Counter[str] = Counter()
    read = _coco if text.lstrip()[:1] in ("{", "[") else _mot
    found = list(read(text, str(path), left_out))
    if not found:
        why = "; ".join(f"{count} {reason}" for reason, count in left_out.items()) or "it is empty"
        raise GenreidError(f"{path} holds no box of a person ({why}); expected {_FORMATS}")
    return Boxes(
        [one.frame for one in found],
        np.array([one.ltwh for one in found], np.float64),
        np.array([one.score for one in found], np.float64),
        [one.track for one in found],
        dict(left_out),
    )


def _mot(text: str, place: str, left_out: Counter[str]) -> Iterator[_Box]:
    """`frame, id, left, top, width, height[, score[, …]]`; of nine columns the seventh is a ground truth's
    flag and the eighth its class (MOT16, Milan et al. 2016, table 3)."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = [float(value) for value in line.split(",")]
        except ValueError:
            values = []
        whole = len(values) >= 6 and all(map(math.isfinite, values[:7])) and values[0] == int(values[0])
        if not whole:
            raise GenreidError(
                f"{place}: line {number}: expected numbers with commas between, {_MOT_COLUMNS} and more as "
                f"MOTChallenge has them, found '{line.strip()[:_SHOWN]}'"
            )
        if reason := _why_not_judged(values):
            left_out[reason] += 1
            continue
        track = int(values[1]) if values[1] >= 0 else None
        yield _Box(int(values[0]), tuple(values[2:6]), values[6] if len(values) > 6 else math.nan, track)


def _why_not_judged(values: Sequence[float]) -> str | None:
    if len(values) != _GROUND_TRUTH_COLUMNS:
        return None
    if values[6] == 0:
        return "flagged as not to be judged"
    return None if values[7] == _PEDESTRIAN_CLASS else "of another class than pedestrian"


def _coco(text: str, place: str, left_out: Counter[str]) -> Iterator[_Box]:
    """A data set (`images`, `annotations`, `categories`) or the bare list of a detector's results."""
    try:
        loaded = json.loads(text)
    except json.JSONDecodeError as error:
        raise GenreidError(f"{place}: no readable JSON ({error}); expected {_FORMATS}") from None
    rows = loaded if isinstance(loaded, list) else loaded.get("annotations")
    if not isinstance(rows, list):
        raise GenreidError(f"{place} has no list `annotations`: expected {_FORMATS}")
    whole = loaded if isinstance(loaded, dict) else {}
    names = _names(whole.get("images", []), place)
    persons = {one.get("id") for one in whole.get("categories", []) if one.get("name") in PERSONS}
    for number, row in enumerate(rows):
        found = _coco_box(row, names, f"{place}: box {number} (from 0)")
        if persons and row.get("category_id") not in persons:
            left_out["of another category than person"] += 1
        elif row.get("iscrowd"):
            left_out["of a crowd"] += 1
        else:
            yield found


def _names(images: Any, place: str) -> dict[Any, str]:
    try:
        return {image["id"]: str(image["file_name"]) for image in images}
    except (KeyError, TypeError):
        raise GenreidError(f"{place}: an image in `images` has no `id` or no `file_name`") from None


def _coco_box(row: Any, names: Mapping[Any, str], place: str) -> _Box:
    row = row if isinstance(row, dict) else {}
    image, box = row.get("image_id"), row.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise GenreidError(f"{place}: expected a `bbox` of four numbers (left, top, width, height)")
    if names and image not in names:
        raise GenreidError(f"{place}: `images` has no image of its `image_id` {image}")
    if not names and not (isinstance(image, int) or (isinstance(image, str) and image)):
        raise GenreidError(f"{place}: expected an `image_id`, the number or the name of its frame")
    score = row.get("score")
    track = row.get("track_id", row.get("instance_id"))
    return _Box(
        names[image] if names else image,  # type: ignore[arg-type]
        tuple(map(float, box)),
        float(score) if _is_number(score) else math.nan,
        track if isinstance(track, int) else None,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
