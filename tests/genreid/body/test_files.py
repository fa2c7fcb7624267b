"""A user's body file: read when it is sound, refused in one line when it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from genreid.body.body import BodyParameters, load_body
from genreid.errors import GenreidError


def small_body(num_vertices: int = 30) -> dict[str, NDArray[Any]]:
    """A valid file of SMPL's layout with nothing human about it."""
    rng = np.random.default_rng(0)
    parents = [2**32 - 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
    weights = rng.random((num_vertices, 24))
    return {
        "v_template": rng.normal(size=(num_vertices, 3)),
        "shapedirs": rng.normal(size=(num_vertices, 3, 300)),
        "posedirs": rng.normal(size=(num_vertices, 3, 207)),
        "J_regressor": np.full((24, num_vertices), 1 / num_vertices),
        "kintree_table": np.array([parents, range(24)], dtype=np.int64),
        "weights": weights / weights.sum(1, keepdims=True),
        "f": rng.integers(0, num_vertices, (50, 3)).astype(np.uint32),
    }


def refusal(path: Path, **changes: Any) -> str:
    arrays = {**small_body(), **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(GenreidError) as error:
        load_body(str(path))
    message = str(error.value)
    assert "\n" not in message and str(path) in message
    return message


def test_a_file_of_smpls_layout_loads_whatever_its_vertices(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, allow_pickle=False, **small_body(), comment=np.array("ignored"))
    body = load_body(str(path))
    posed = body.pose(BodyParameters(torch.zeros(2, 3), torch.zeros(2, 69), torch.zeros(2, 10)))
    assert posed.vertices.shape == (2, 30, 3)
    assert posed.joints.shape == (2, 24, 3)
    assert body.faces.dtype == np.int32 and body.faces.shape == (50, 3)


def test_missing_file(tmp_path: Path) -> None:
    message = r"no body file at '.*nowhere\.npz'; prepare_data\.body is 'open'.*https://smpl.*: put it there"
    with pytest.raises(GenreidError, match=message):
        load_body(str(tmp_path / "nowhere.npz"))


def test_unknown_ending_and_damaged_file(tmp_path: Path) -> None:
    model = tmp_path / "SMPL_NEUTRAL.fbx"
    model.write_bytes(b"anything")
    with pytest.raises(GenreidError, match=r"'\.fbx' is not a known ending"):
        load_body(str(model))
    damaged = tmp_path / "damaged.npz"
    np.savez(damaged, allow_pickle=False, **small_body())
    damaged.write_bytes(damaged.read_bytes()[:-2000])
    with pytest.raises(GenreidError, match=r"is not a readable \.npz body"):
        load_body(str(damaged))


def test_missing_arrays_are_named(tmp_path: Path) -> None:
    assert "lacks weights, f;" in refusal(tmp_path / "b.npz", weights=None, f=None)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("weights", (30, 52), "(30, 24)"),
        ("shapedirs", (30, 3, 4), "(30, 3, 10)"),
        ("shapedirs", (30, 3), "(30, 3, 10)"),
        ("J_regressor", (24, 29), "(24, 30)"),
        ("posedirs", (30, 3, 459), "(30, 3, 207)"),
        ("f", (50, 4), "(50, 3)"),
        ("f", (), "(0, 3)"),
    ],
)
def test_wrong_shapes_are_named(tmp_path: Path, name: str, shape: tuple[int, ...], expected: str) -> None:
    message = refusal(tmp_path / "b.npz", **{name: np.zeros(shape)})
    assert f"{name} in " in message and f"has shape {shape}; expected {expected}" in message


def test_faces_beyond_the_vertices_and_values_that_are_not_finite(tmp_path: Path) -> None:
    assert "outside 0..29" in refusal(tmp_path / "b.npz", f=np.full((50, 3), 30))
    weights = small_body()["weights"]
    weights[3, 3] = np.nan
    assert "weights in " in refusal(tmp_path / "b.npz", weights=weights)


def test_another_joint_tree_is_refused(tmp_path: Path) -> None:
    tree = small_body()["kintree_table"]
    tree[0, 5] = 3
    assert "kintree_table in " in refusal(tmp_path / "b.npz", kintree_table=tree)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    objects = np.array([{"code": "execution"}], dtype=object)
    assert "is not a readable .npz body" in refusal(tmp_path / "b.npz", v_template=objects)
