"""Mesh shards: there and back, images without a mesh, and tables that cannot be trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from genreid.errors import GenreidError
from genreid.mesh.shards import (
    MESH_SCHEMA,
    MeshEstimates,
    encode_mask,
    estimates_of,
    mesh_table,
    read_mesh_table,
)


def _with_failures(people: MeshEstimates) -> MeshEstimates:
    statuses = ["failed", "no_person", *["failed"] * 8]
    return MeshEstimates.without_mesh(statuses).fill(np.arange(2, 10), people)


def test_there_and_back_through_a_file(tmp_path: Path, people: MeshEstimates) -> None:
    estimates = _with_failures(people)
    names = [f"image {i}" for i in range(10)]
    table = mesh_table(names, estimates, "somebody", "a body")
    assert table.schema.equals(MESH_SCHEMA)
    pq.write_table(table, tmp_path / "part.parquet")
    read = pq.read_table(tmp_path / "part.parquet")
    assert read["score"].null_count == read["camera"].null_count == 2
    back_names, back = read_mesh_table(read, "a body")
    assert back_names == names
    assert back.status == estimates.status
    assert back.valid.tolist() == [False] * 2 + [True] * 8
    np.testing.assert_array_equal(back.score, estimates.score)
    assert torch.equal(back.camera, estimates.camera)
    assert torch.equal(back.parameters.body_pose, estimates.parameters.body_pose)


def test_filling_and_selecting_keep_rows_together(people: MeshEstimates) -> None:
    estimates = _with_failures(people)
    assert estimates.status[:3] == ["failed", "no_person", "ok"]
    chosen = estimates.select(np.array([9, 0, 4]))
    assert chosen.status == ["ok", "failed", "ok"]
    assert torch.equal(chosen.parameters.betas[[0, 2]], people.parameters.betas[[7, 2]])
    assert not chosen.parameters.betas[1].any()
    assert len(estimates.select(estimates.valid)) == 8


def _masked(people: MeshEstimates) -> tuple[MeshEstimates, list[np.ndarray]]:
    """The same with masks of their own sizes, but for number 3, of whose none is known."""
    rng = np.random.default_rng(0)
    masks = [17 * rng.integers(0, 16, (20 + i, 10), dtype=np.uint8) for i in range(len(people))]
    return replace(people, masks=[None if i == 3 else encode_mask(m) for i, m in enumerate(masks)]), masks


def test_masks_go_where_their_rows_go(tmp_path: Path, people: MeshEstimates) -> None:
    masked, masks = _masked(people)
    table = mesh_table([str(i) for i in range(10)], _with_failures(masked), "somebody", "a body")
    assert table["mask"].null_count == 3  # two without a mesh and number 3
    pq.write_table(table, tmp_path / "part.parquet")
    _, back = read_mesh_table(pq.read_table(tmp_path / "part.parquet"), "a body")
    chosen = back.select(np.array([9, 0, 5, 2]))
    np.testing.assert_array_equal(chosen.mask(0), masks[7])
    assert chosen.mask(1) is None and chosen.mask(2) is None
    np.testing.assert_array_equal(chosen.mask(3), masks[0])
    ids, truth = read_mesh_table(table.drop_columns("mask").replace_schema_metadata(None), "a body")
    assert truth.masks == [None] * 10 and len(ids) == 10
    assert estimates_of(["3"], table, "a body", "data/mesh").masks == [masked.masks[1]]


def test_a_mask_has_sixteen_levels_and_keeps_its_halves() -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    kept = MeshEstimates.without_mesh(["failed"]).fill(
        np.array([0]), replace(MeshEstimates.without_mesh(["failed"]), masks=[encode_mask(mask)])
    )
    found = kept.mask(0)
    assert found is not None
    levels = [17 * k for k in range(16)]
    for level, was in zip(found.ravel().tolist(), mask.ravel().tolist(), strict=True):
        assert level in levels and abs(level - was) == min(abs(one - was) for one in levels)
    np.testing.assert_array_equal(found > 127, mask > 127)


def test_shards_of_another_version_are_refused(people: MeshEstimates) -> None:
    old = mesh_table([str(i) for i in range(8)], people, "somebody", "a body").drop_columns("mask")
    old = pa.concat_tables([old.replace_schema_metadata({b"genreid.mesh": b"1"})] * 2)
    with pytest.raises(GenreidError, match=r"schema version 1, this program reads 2: .*mesh-extract"):
        read_mesh_table(old, "a body")


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(GenreidError, match=r"'lost': expected one of ok, no_person, fallback, failed"):
        MeshEstimates.without_mesh(["lost"])


def test_tables_that_cannot_be_trusted(people: MeshEstimates) -> None:
    table = mesh_table([str(i) for i in range(8)], people, "somebody", "a body")
    with pytest.raises(GenreidError, match=r"is of body a body, the body in use is another.*mesh-extract"):
        read_mesh_table(table, "another")
    with pytest.raises(GenreidError, match="expected `score` too"):
        read_mesh_table(table.drop_columns("score"), "a body")
    column = table.schema.get_field_index("status")
    lying = table.set_column(column, table.schema.field(column), [["no_person"] + ["ok"] * 7])
    with pytest.raises(GenreidError, match="says 'no_person' of '0' and has mesh"):
        read_mesh_table(lying, "a body")
    column = table.schema.get_field_index("score")
    unsure = table.set_column(
        column, table.schema.field(column), [pa.array([float("nan")] * 8, pa.float32())]
    )
    with pytest.raises(GenreidError, match=r"a score that is not finite.*mesh-extract"):
        read_mesh_table(unsure, "a body")


def test_the_bodies_of_some_images_in_their_order(people: MeshEstimates) -> None:
    table = mesh_table([f"image {i}" for i in range(8)], people, "somebody", "a body")
    found = estimates_of(["image 5", "image 0"], table, "a body", "data/mesh")
    assert torch.equal(found.parameters.betas, people.parameters.betas[[5, 0]])
    with pytest.raises(GenreidError, match=r"^data/mesh lacks 2 images \(image 8 …\): add their split to"):
        estimates_of(["image 8", "image 0", "image 9"], table, "a body", "data/mesh")
