"""The Arrow columns of a body: what mesh shards and the synthetic truth share.

Parameters, not vertices: about 340 bytes an image. A row without a body is null in all of them (never NaN).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from genreid.body.body import BodyParameters
from genreid.errors import GenreidError

_WIDTHS = {"global_orient": 3, "body_pose": 69, "betas": 10, "camera": 3}


def _fixed_list(width: int) -> pa.DataType:
    return pa.list_(pa.float32(), width)


BODY_FIELDS: list[pa.Field] = [pa.field(name, _fixed_list(width)) for name, width in _WIDTHS.items()]
"""Columns `global_orient`, `body_pose` (axis-angle, radians), `betas` and `camera` (s, t_x, t_y)."""


def pack_body(parameters: BodyParameters, camera: Tensor, valid: np.ndarray) -> dict[str, pa.Array]:
    """The columns of B rows, by name.

    Args:
        parameters: B bodies; what stands in rows that are not valid does not matter.
        camera: (B, 3) weak perspective s, t_x, t_y.
        valid: (B,) bool; the other rows become null.

    Raises:
        GenreidError: a valid row has a number that is not finite.
    """
    valid = np.asarray(valid, dtype=bool)
    columns = {}
    for name, width in _WIDTHS.items():
        values = camera if name == "camera" else getattr(parameters, name)
        array = np.ascontiguousarray(values.detach().cpu().numpy(), dtype=np.float32).copy()
        assert array.shape == (len(valid), width), (name, array.shape, len(valid))
        broken = np.flatnonzero(valid & ~np.isfinite(array).all(axis=1))
        if len(broken):
            raise GenreidError(
                f"{name} of row {broken[0]} is not finite ({len(broken)} such rows); expected numbers, "
                "or a row without a mesh: look at the estimator that made it"
            )
        array[~valid] = 0
        columns[name] = pa.FixedSizeListArray.from_arrays(
            pa.array(array.ravel()), type=_fixed_list(width), mask=pa.array(~valid)
        )
    return columns


def unpack_body(table: pa.Table) -> tuple[BodyParameters, Tensor, np.ndarray]:
    """Read `pack_body`'s columns back: parameters of B rows, camera (B, 3), valid (B,) bool.

    Rows without a body are zeros and not valid.

    Raises:
        GenreidError: a column is missing or of another type, a row is null in some of them only, or a number
            is not finite.
    """
    for field in BODY_FIELDS:
        if field.name not in table.column_names or table.schema.field(field.name).type != field.type:
            raise GenreidError(
                f"a table of bodies has columns {', '.join(table.column_names)}; expected `{field.name}` as "
                f"{field.type}: make it again with the stage that wrote it"
            )
    valid = table["camera"].is_valid().to_numpy()
    values = {}
    for name, width in _WIDTHS.items():
        column = table[name].combine_chunks()
        rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        if not np.array_equal(rows, np.flatnonzero(valid)):
            raise GenreidError(
                f"a table of bodies has {len(rows)} rows with `{name}` and {valid.sum()} with `camera`; "
                "expected the same rows: make it again with the stage that wrote it"
            )
        array = np.zeros((len(valid), width), dtype=np.float32)
        array[rows] = column.flatten().to_numpy().reshape(-1, width)
        if not np.isfinite(array).all():
            raise GenreidError(
                f"a table of bodies has numbers in `{name}` that are not finite: make it again with the "
                "stage that wrote it"
            )
        values[name] = torch.from_numpy(array)
    camera = values.pop("camera")
    return BodyParameters(**values), camera, valid
