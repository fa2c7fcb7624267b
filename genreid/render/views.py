"""Views: bodies turned about their vertical axis, drawn, and kept in shards.

`yaw_deg` is relative to the image: 0 is the image's own viewpoint, and a positive angle turns the person
towards its own left. All views of a person share its camera, so the person stays where it stands in the crop.

A shard is one Parquet file for about 4,096 images, because DVC is slow on many small files. Rows are sorted
by image and viewpoint. PNG does not compress further, and a row group holds the viewpoints of a few images,
so that one picture costs one small read.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.body.rotations import axis_angle_to_matrix
from genreid.errors import GenreidError, is_of_machine
from genreid.render.backend import Renderer
from genreid.render.png import decode_png, encode_png

YAWS_DEG = (0, 45, 90, 135, 180, 225, 270, 315)
"""The viewpoints of the method: the image's own and the seven that θ is drawn from."""

SCHEMA_VERSION = 1
IMAGES_PER_ROW_GROUP = 8
_INFO_KEY = b"genreid.views"
_CACHED_ROW_GROUPS = 512  # 20 MB of the default run's PNGs, 130 MB of those of full-size crops
_CACHED_BYTES = 1 << 30  # shards that are not ours may have groups of any size

VIEW_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("yaw_deg", pa.int16(), nullable=False),
        pa.field("png", pa.binary(), nullable=False),
    ]
)


def render_views(
    body: Body,
    parameters: BodyParameters,
    camera: Tensor,
    height_px: np.ndarray,
    width_px: np.ndarray,
    yaws_deg: Sequence[int],
    renderer: Renderer,
) -> list[list[np.ndarray]]:
    """Draw every person from every viewpoint.

    Args:
        parameters, camera: B persons; camera (B, 3) weak perspective.
        height_px, width_px: (B,) native size of each person's crop, which is the size of its views.
        yaws_deg: viewpoints.

    Returns:
        for each person one (height, width) uint8 picture a viewpoint, in the order of `yaws_deg`.
    """
    if len(camera) == 0:
        return []
    posed = body.pose(parameters).vertices
    by_yaw = []
    for yaw_deg in yaws_deg:
        turned = turn_bodies(posed, parameters.global_orient, torch.tensor(float(yaw_deg)))
        by_yaw.append(renderer.draw(turned, camera, body.faces, height_px, width_px))
    return [list(views) for views in zip(*by_yaw, strict=True)]


def turn_bodies(posed: Tensor, global_orient: Tensor, yaw_deg: Tensor) -> Tensor:
    """Posed vertices (B, V, 3), turned by one angle () or an angle each (B,), in degrees; orient (B, 3)."""
    # Turning posed vertices by R·R_y(θ)·Rᵀ equals posing with R·R_y(θ), at a fraction of the cost.
    root = axis_angle_to_matrix(global_orient)
    turn = root @ _about_vertical(yaw_deg) @ root.transpose(1, 2)
    return posed @ turn.transpose(1, 2)


def view_table(
    views: Iterable[tuple[str, Sequence[np.ndarray]]], yaws_deg: Sequence[int], body_fingerprint: str
) -> pa.Table:
    """The table of a shard, to be written with `write_options`.

    Args:
        views: (image_id, its pictures in the order of `yaws_deg`) for each image, in any order.
        yaws_deg: viewpoints, the same for all.
        body_fingerprint: of the body that was drawn.
    """
    order = sorted(range(len(yaws_deg)), key=lambda i: yaws_deg[i])
    rows = sorted(
        ((image_id, [encode_png(pictures[i]) for i in order]) for image_id, pictures in views),
        key=lambda row: row[0],
    )
    columns = [
        pa.array([image_id for image_id, _ in rows for _ in order], pa.string()),
        pa.array([yaws_deg[i] for _ in rows for i in order], pa.int16()),
        pa.array([png for _, pngs in rows for png in pngs], pa.binary()),
    ]
    info = {
        "version": SCHEMA_VERSION,
        "yaws_deg": [int(yaws_deg[i]) for i in order],
        "body": body_fingerprint,
    }
    encoded = json.dumps(info, sort_keys=True).encode()
    return pa.Table.from_arrays(columns, schema=VIEW_SCHEMA.with_metadata({_INFO_KEY: encoded}))


def write_options(num_yaws: int) -> dict[str, Any]:
    """Arguments for `pyarrow.parquet.write_table` that make single pictures quick to read."""
    return {
        "row_group_size": IMAGES_PER_ROW_GROUP * max(num_yaws, 1),
        "compression": {"image_id": "zstd", "yaw_deg": "zstd", "png": "none"},
        "use_dictionary": ["image_id", "yaw_deg"],
    }


class ViewStore:
    """The pictures of a set of shards. Reads what is asked for; safe to use in forked workers."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read the shards' indices.

        Raises:
            GenreidError: no shard, a damaged one, or shards of different viewpoints or bodies.
        """
        if not paths:
            raise GenreidError("there is no view shard: run `genreid render-views`")
        self._paths = sorted(Path(path) for path in paths)
        infos = [_read_info(path) for path in self._paths]
        for path, info in zip(self._paths, infos, strict=True):
            if info != infos[0]:
                raise GenreidError(
                    f"{path} holds {info}, but {self._paths[0]} holds {infos[0]}; expected one set of "
                    "viewpoints and one body: run `dvc repro --force render-views`"
                )
        self.yaws_deg: tuple[int, ...] = tuple(infos[0]["yaws_deg"])
        self.body_fingerprint: str = infos[0]["body"]
        self._shards = [_Shard.open(path, len(self.yaws_deg)) for path in self._paths]
        self._place = {
            image_id: (number, row)
            for number, shard in enumerate(self._shards)
            for image_id, row in shard.first_row.items()
        }
        self.image_ids: tuple[str, ...] = tuple(sorted(self._place))
        self._groups: OrderedDict[tuple[int, int], pa.ChunkedArray] = OrderedDict()
        self._cached_bytes = 0

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._place

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        """The (h, w) uint8 picture of an image from a viewpoint, at the image's native size.

        Raises:
            GenreidError: the image or viewpoint has no picture, or the shard is damaged.
        """
        if image_id not in self._place:
            raise GenreidError(
                f"image {image_id!r} has no views among {len(self._place)}: "
                "expected one of ViewStore.image_ids"
            )
        if yaw_deg not in self.yaws_deg:
            raise GenreidError(f"no view at {yaw_deg} degrees: expected one of {self.yaws_deg}")
        number, first_row = self._place[image_id]
        shard = self._shards[number]
        row = first_row + self.yaws_deg.index(yaw_deg)
        group = int(np.searchsorted(shard.group_start, row, side="right")) - 1
        pngs = self._row_group(number, group)
        try:
            return decode_png(pngs[row - int(shard.group_start[group])].as_py())
        except GenreidError as error:
            raise _damaged(shard.path, error) from error

    def _row_group(self, number: int, group: int) -> pa.ChunkedArray:
        """The PNGs of a row group, from the last few read."""
        key = (number, group)
        if key not in self._groups:
            self._groups[key] = self._shards[number].read_pngs(group)
            self._cached_bytes += self._groups[key].nbytes
            while len(self._groups) > 1 and self._is_cache_full():
                self._cached_bytes -= self._groups.popitem(last=False)[1].nbytes
        self._groups.move_to_end(key)
        return self._groups[key]

    def _is_cache_full(self) -> bool:
        return len(self._groups) > _CACHED_ROW_GROUPS or self._cached_bytes > _CACHED_BYTES


@dataclass(frozen=True)
class _Shard:
    """Where things are in one file: each image's first row, and each row group's."""

    path: Path
    metadata: pq.FileMetaData
    first_row: dict[str, int]
    group_start: np.ndarray

    @classmethod
    def open(cls, path: Path, num_yaws: int) -> _Shard:
        try:
            with pq.ParquetFile(path) as file:
                metadata = file.metadata
                ids = file.read(columns=["image_id"])["image_id"].to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, error) from error
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        first_row = {ids[row]: row for row in range(0, len(ids), num_yaws)}
        return cls(path, metadata, first_row, np.cumsum([0, *sizes]))

    def read_pngs(self, group: int) -> pa.ChunkedArray:
        # The footer is kept and the file is not: an open file must not be shared by forked workers.
        try:
            with pq.ParquetFile(self.path, metadata=self.metadata) as file:
                return file.read_row_group(group, columns=["png"], use_threads=False)["png"]
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self.path, error) from error


def _read_info(path: Path) -> dict[str, Any]:
    try:
        encoded = (pq.read_schema(path).metadata or {}).get(_INFO_KEY)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error
    if encoded is None:
        raise _damaged(path, "it has no genreid metadata")
    info = json.loads(encoded)
    if info.pop("version") != SCHEMA_VERSION:
        raise _damaged(path, f"it is not of schema version {SCHEMA_VERSION}")
    return info


def _damaged(path: Path, reason: object) -> GenreidError:
    """The error to raise; one of the machine is raised as it is."""
    if isinstance(reason, Exception) and is_of_machine(reason):
        raise reason
    reason = str(reason).splitlines()[0]
    return GenreidError(
        f"view shard {path} cannot be read ({reason}): make it again with `dvc repro --force render-views`"
    )


def _about_vertical(yaw_deg: Tensor) -> Tensor:
    about_y = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float32)
    return axis_angle_to_matrix(yaw_deg.deg2rad().float()[..., None] * about_y)
