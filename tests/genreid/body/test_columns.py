"""The Arrow columns of a body: there and back, through a file, with rows that have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from genreid.body.body import BodyParameters
from genreid.body.columns import BODY_FIELDS, pack_body, unpack_body
from genreid.errors import GenreidError


def _random(num: int) -> tuple[BodyParameters, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    widths = (3, 69, 10, 3)
    orient, pose, betas, camera = (torch.randn(num, w, generator=rng) for w in widths)
    return BodyParameters(orient, pose, betas), camera


def test_there_and_back_through_a_file(tmp_path: Path) -> None:
    parameters, camera = _random(5)
    parameters.body_pose[1] = torch.nan  # a row without a body may hold anything
    valid = np.array([True, False, True, True, False])
    table = pa.table(pack_body(parameters, camera, valid), schema=pa.schema(BODY_FIELDS))
    pq.write_table(table, tmp_path / "bodies.parquet")
    read = pq.read_table(tmp_path / "bodies.parquet")
    assert read["betas"].null_count == 2
    back, back_camera, back_valid = unpack_body(read)
    np.testing.assert_array_equal(back_valid, valid)
    for name in ("global_orient", "body_pose", "betas"):
        assert torch.equal(getattr(back, name)[valid], getattr(parameters, name)[valid])
        assert not getattr(back, name)[~valid].any()
    assert torch.equal(back_camera[valid], camera[valid])


def test_a_slice_keeps_rows_and_bodies_together() -> None:
    parameters, camera = _random(6)
    valid = np.array([True, False, True, True, False, True])
    table = pa.table(pack_body(parameters, camera, valid))
    back, _, back_valid = unpack_body(table.slice(2, 3))
    assert back_valid.tolist() == [True, True, False]
    assert torch.equal(back.body_pose[:2], parameters.body_pose[2:4])
    two = pa.concat_tables([table.slice(4), table.slice(0, 1)])
    back, back_camera, back_valid = unpack_body(two)
    assert back_valid.tolist() == [False, True, True]
    assert torch.equal(back_camera[1:], camera[[5, 0]])


def test_a_number_that_is_not_finite_is_refused() -> None:
    parameters, camera = _random(3)
    camera[2, 1] = torch.inf
    with pytest.raises(GenreidError, match="camera of row 2 is not finite"):
        pack_body(parameters, camera, np.ones(3, bool))


def test_a_table_with_a_number_that_is_not_finite_is_refused() -> None:
    parameters, camera = _random(3)
    columns = pack_body(parameters, camera, np.ones(3, bool))
    betas = [[0.0] * 10, [0.0] * 9 + [float("-inf")], [0.0] * 10]
    columns["betas"] = pa.array(betas, columns["betas"].type)
    with pytest.raises(GenreidError, match="numbers in `betas` that are not finite"):
        unpack_body(pa.table(columns))


def test_tables_that_hold_no_bodies_are_refused() -> None:
    parameters, camera = _random(2)
    columns = pack_body(parameters, camera, np.ones(2, bool))
    with pytest.raises(GenreidError, match="expected `betas`"):
        unpack_body(pa.table({n: c for n, c in columns.items() if n != "betas"}))
    columns["betas"] = pack_body(parameters, camera, np.array([True, False]))["betas"]
    with pytest.raises(GenreidError, match="1 rows with `betas` and 2 with `camera`"):
        unpack_body(pa.table(columns))
