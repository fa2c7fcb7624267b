"""What ROMP is given and what it says, without its package."""

from __future__ import annotations

import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from genreid.body.body import load_body
from genreid.errors import GenreidError
from genreid.mesh import romp
from genreid.mesh.romp import read_answers, square_input

from ..licensed import smpl_arrays


@pytest.mark.parametrize(("size", "borders"), [((40, 21), (0, 0, 9, 10)), ((21, 40), (9, 10, 0, 0))])
def test_the_input_is_the_image_in_the_middle_of_a_black_square(
    size: tuple[int, int], borders: tuple[int, int, int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    bordered = cv2.copyMakeBorder(image, *borders, cv2.BORDER_CONSTANT)
    expected = cv2.resize(bordered, (512, 512), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(square_input(image), expected)


def test_an_answer_is_read_entry_by_entry() -> None:
    """A cell holds log₁.₁ s, t; the two columns of each rotation, their entries in turn; betas."""
    turns = Rotation.from_rotvec(np.random.default_rng(6).uniform(-1.5, 1.5, (2 * 22, 3)))
    columns = turns.as_matrix()[:, :, :2].reshape(2, 22 * 6)
    betas = np.arange(20.0).reshape(2, 10)
    camera = np.array([[np.log(1.5) / np.log(1.1), 0.1, -0.2], [np.log(0.5) / np.log(1.1), 0.3, 0.4]])
    found, seen = read_answers(torch.from_numpy(np.concatenate([camera, columns, betas], axis=1)).float())
    expected = turns.as_rotvec().reshape(2, 22, 3)
    np.testing.assert_allclose(found.global_orient, expected[:, 0], atol=1e-4)
    pose = found.body_pose.reshape(2, 23, 3)
    np.testing.assert_allclose(pose[:, :21], expected[:, 1:], atol=1e-4)
    assert not pose[:, 21:].any(), "hands are straight"
    np.testing.assert_allclose(found.betas, betas)
    np.testing.assert_allclose(seen, [[1.5, 0.1, -0.2], [0.5, 0.3, 0.4]], rtol=1e-5)


@pytest.mark.parametrize("weights", [{"weight": torch.zeros(9)}, [1, 2], {1: torch.zeros(1)}])
def test_weights_of_another_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: object
) -> None:
    monkeypatch.setattr(romp, "_package", lambda name: types.SimpleNamespace(ROMPv1=lambda: nn.Linear(2, 2)))
    torch.save(weights, tmp_path / "ROMP.pkl")
    with pytest.raises(GenreidError, match=r"ROMP\.pkl' holds other weights than ROMP's: get ROMP\.pkl anew"):
        romp._load_network(tmp_path / "ROMP.pkl")


def test_a_body_of_other_shapes_is_another_one(tmp_path: Path) -> None:
    own, fatter = smpl_arrays(num_vertices=400), smpl_arrays(num_vertices=400)
    fatter["shapedirs"] = fatter["shapedirs"] * 1.5
    for name, arrays in {"own": own, "fatter": fatter, "smaller": smpl_arrays(num_vertices=300)}.items():
        np.savez(tmp_path / f"{name}.npz", allow_pickle=False, **arrays)
    own_body = load_body(str(tmp_path / "own.npz"))
    romp._check_same_body(own_body, own_body, "SMPL.pth")
    for name in ("fatter", "smaller"):
        with pytest.raises(GenreidError, match=r"is another one: set prepare_data\.body to 'SMPL\.pth'"):
            romp._check_same_body(own_body, load_body(str(tmp_path / f"{name}.npz")), "SMPL.pth")
