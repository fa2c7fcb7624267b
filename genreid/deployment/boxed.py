"""Embeddings of the boxes of frames: one row a box, in the table of `genreid.deployment.gallery`.

A crop is the box's pixels as they are: its edges rounded to whole pixels, and what lies outside the frame
cut off. From there on it is an image like any other: `Looker` resizes it as training did, by
`genreid.data.transforms.resize`, and takes the same mean and deviation off.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from genreid.data.images import read_image
from genreid.deployment.boxes import Boxes
from genreid.deployment.frames import Frames, NoPixels, VideoFrames
from genreid.deployment.gallery import NOTHING_TOLD
from genreid.deployment.gallery_table import GalleryInfo, gallery_schema
from genreid.deployment.looking import Looker
from genreid.deployment.patterns import Told
from genreid.errors import GenreidError

STATUSES = ("ok", "unreadable", "no frame", "outside", "empty", "repeated")
_FRAGMENT = re.compile(r"^(?P<file>.*?)#(frame=(?P<frame>\d+)&)?xywh=(?P<box>[-+.e\d]+(,[-+.e\d]+){3})$")


@dataclass(frozen=True)
class Row:
    """Box number `index` of the file. name: unique among rows with a crop. crop: (h, w, 3) uint8 RGB, None
    where the status is not ok."""

    index: int
    name: str
    frame: int | None
    crop: np.ndarray | None
    status: str = "ok"
    detail: str | None = None


class BoxedFrames:
    """Boxes in the order of their frames: those of unknown frames last."""

    def __init__(self, boxes: Boxes, frames: Frames) -> None:
        self.boxes, self.frames = boxes, frames
        at = [frames.position(frame) for frame in boxes.frame]
        known = [index for index, position in enumerate(at) if position is not None]
        if not known:
            raise GenreidError(
                f"no frame of {frames.folder} has a box: the file's first names frame {boxes.frame[0]}; "
                "name the frames that belong to it"
            )
        known.sort(key=lambda index: at[index] or 0)  # stable: the file's order within a frame
        self._by_frame = [
            (key, list(rows)) for key, rows in itertools.groupby(known, key=lambda one: at[one])
        ]
        self._unknown = [index for index, position in enumerate(at) if position is None]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def folder(self) -> Path:
        return self.frames.folder

    def rows(self, num_threads: int) -> Iterator[Row]:
        """All of them; the crops do not keep their frames in memory."""
        read = self.frames.read([key for key, _ in self._by_frame if key is not None], num_threads)
        for (position, indices), image in zip(self._by_frame, read, strict=True):
            assert position is not None
            seen: set[str] = set()
            for index in indices:
                row = self._row(index, position, image)
                if row.crop is not None and row.name in seen:
                    detail = "the frame has this very box before"
                    row = Row(index, row.name, row.frame, None, "repeated", detail)
                seen.add(row.name)
                yield row
        for index in self._unknown:
            name = str(self.boxes.frame[index])
            detail = f"{self.folder} has no frame {name}"
            yield Row(index, _named(name, self.boxes.ltwh[index]), None, None, "no frame", detail)

    def _row(self, index: int, position: int, image: np.ndarray | NoPixels) -> Row:
        ltwh = self.boxes.ltwh[index]
        name, number = _named(self.frames.name(position), ltwh), self.frames.number(position)
        crop = image if isinstance(image, NoPixels) else cut(image, ltwh)
        if isinstance(crop, NoPixels):
            return Row(index, name, number, None, crop.status, crop.detail)
        return Row(index, name, number, crop)


def cut(image: np.ndarray, ltwh: Sequence[float] | np.ndarray) -> np.ndarray | NoPixels:
    """The pixels of a box: a copy (h, w, 3) of what lies in the image, or why there are none."""
    left, top, width, height = (float(value) for value in ltwh)
    x, y = np.rint([left, left + width]), np.rint([top, top + height])
    if x[1] <= x[0] or y[1] <= y[0]:
        return NoPixels("empty", f"{width:g} × {height:g} pixels")
    tall, wide = image.shape[:2]
    x, y = np.clip(x, 0, wide).astype(int), np.clip(y, 0, tall).astype(int)
    if x[1] <= x[0] or y[1] <= y[0]:
        return NoPixels("outside", f"nothing of it is in the frame of {wide} × {tall} pixels")
    return image[y[0] : y[1], x[0] : x[1]].copy()


def boxes_schema(info: GalleryInfo) -> pa.Schema:
    """That of images, and of each box its frame's number, the box, score and track: null where not given.

    `box`: left, top, width, height as in the file; `height` and `width` are the crop's.
    """
    schema = gallery_schema(info)
    for field in (
        pa.field("frame", pa.int64()),
        pa.field("box", pa.list_(pa.float64(), 4)),
        pa.field("score", pa.float32()),
        pa.field("track", pa.int64()),
    ):
        schema = schema.append(field)
    return schema


def embed_boxes(
    looker: Looker,
    boxed: BoxedFrames,
    info: GalleryInfo,
    told: Told = NOTHING_TOLD,
    *,
    batch_size: int,
    num_threads: int,
) -> Iterator[pa.Table]:
    """One table for each `batch_size` boxes, frame after frame.

    told: how their frames' names tell camera and time. Memory grows with the numbers in the file of boxes
    alone, not with frames.
    """
    schema, rows = boxes_schema(info), boxed.rows(num_threads)
    while batch := list(itertools.islice(rows, batch_size)):
        yield _table(looker, boxed.boxes, batch, told, schema)


def _table(looker: Looker, boxes: Boxes, batch: Sequence[Row], told: Told, schema: pa.Schema) -> pa.Table:
    crops = {row.name: row.crop for row in batch if row.crop is not None}
    found = zip(*looker.embed(list(crops), list(crops.values())), strict=True) if crops else iter(())
    looked = [next(found) if row.crop is not None else (None, None) for row in batch]
    index, names = [row.index for row in batch], [row.name for row in batch]
    columns = {
        "path": names,
        "status": [row.status for row in batch],
        "detail": [row.detail for row in batch],
        "height": [None if row.crop is None else row.crop.shape[0] for row in batch],
        "width": [None if row.crop is None else row.crop.shape[1] for row in batch],
        "camera": told.cameras(names),
        "time": told.times(names),
        "views": [None if num is None else int(num) for _, num in looked],
        "embedding": [row for row, _ in looked],
        "frame": [row.frame for row in batch],
        "box": [list(boxes.ltwh[one]) for one in index],
        "score": [None if np.isnan(boxes.score[one]) else float(boxes.score[one]) for one in index],
        "track": [boxes.track[one] for one in index],
    }
    return pa.table(columns, schema=schema)


def read_embedded(folder: Path, path: str) -> np.ndarray:
    """The picture of a row by its path: an image, or the crop of a frame. Raises GenreidError, and OSError as
    `read_image` does."""
    found = _FRAGMENT.match(path)
    if found is None or (folder / path).is_file():
        return read_image(folder / path)
    if found["frame"]:
        (image,) = VideoFrames(folder / found["file"]).read([int(found["frame"]) - 1], 1)
    else:
        image = read_image(folder / found["file"])
    crop = (
        image if isinstance(image, NoPixels) else cut(image, [float(one) for one in found["box"].split(",")])
    )
    if isinstance(crop, NoPixels):
        raise GenreidError(f"{folder / path}: {crop.detail}")
    return crop


def _named(frame: str, ltwh: np.ndarray) -> str:
    """As a fragment of the frame's name (W3C's Media Fragments, section 4.2.2)."""
    box = ",".join(f"{value:.10g}" for value in ltwh)
    return f"{frame}{'&' if '#frame=' in frame else '#'}xywh={box}"
