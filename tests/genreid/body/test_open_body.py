"""The shipped asset: a closed, outward, symmetric surface with sound weights, joints and parts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genreid.body.body import OPEN_BODY_PATH, Body
from genreid.body.files import read_body_file
from genreid.body.layout import JOINT_NAMES, PARENTS, mirror_name


@pytest.fixture(scope="module")
def arrays() -> dict[str, NDArray[Any]]:
    return read_body_file(OPEN_BODY_PATH)


@pytest.fixture(scope="module")
def mirror(arrays: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Each vertex's mirror image, by exhaustive search in blocks."""
    template = arrays["v_template"]
    flipped = template * np.array([-1, 1, 1], np.float32)
    blocks = [
        ((flipped[i : i + 500, None] - template[None]) ** 2).sum(-1) for i in range(0, len(template), 500)
    ]
    assert max(block.min(1).max() for block in blocks) < 1e-10
    return np.concatenate([block.argmin(1) for block in blocks])


def test_counts_are_those_of_smpl(arrays: dict[str, NDArray[Any]]) -> None:
    assert arrays["v_template"].shape == (6890, 3)
    assert arrays["f"].shape == (13776, 3)
    assert arrays["shapedirs"].shape == (6890, 3, 10)
    assert tuple(arrays["kintree_table"][0]) == PARENTS
    assert OPEN_BODY_PATH.stat().st_size < 1.2e6


def test_surface_is_closed_and_of_genus_zero(arrays: dict[str, NDArray[Any]]) -> None:
    faces = arrays["f"].tolist()
    directed = Counter((f[k], f[(k + 1) % 3]) for f in faces for k in range(3))
    assert set(directed.values()) == {1}  # consistently oriented
    assert all((b, a) in directed for a, b in directed)  # no border
    vertices = {v for f in faces for v in f}
    assert len(vertices) - len(directed) // 2 + len(faces) == 2  # Euler characteristic of a sphere
    assert len(vertices) == 6890
    reached, frontier = {0}, [0]
    neighbours: dict[int, list[int]] = {}
    for a, b in directed:
        neighbours.setdefault(a, []).append(b)
    while frontier:
        for other in neighbours[frontier.pop()]:
            if other not in reached:
                reached.add(other)
                frontier.append(other)
    assert len(reached) == 6890  # one piece


def test_faces_look_outwards_and_none_is_degenerate(arrays: dict[str, NDArray[Any]]) -> None:
    corner = arrays["v_template"].astype(np.float64)[arrays["f"]]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    volume = (corner[:, 0] * normal).sum() / 6
    assert 0.045 < volume < 0.1  # cubic metres: an adult; negative if turned inside out
    assert np.linalg.norm(normal, axis=1).min() / 2 > 1e-7


def test_template_is_a_t_pose_in_metres(arrays: dict[str, NDArray[Any]]) -> None:
    template = arrays["v_template"]
    joints = dict(zip(JOINT_NAMES, arrays["J_regressor"] @ template, strict=True))
    assert 1.6 < np.ptp(template[:, 1]) < 1.8
    np.testing.assert_allclose(joints["pelvis"], 0, atol=0.01)
    # Arms along ±x, left at +x; legs straight down; toes and nose forward (+z).
    assert joints["left_wrist"][0] > joints["left_elbow"][0] > joints["left_shoulder"][0] > 0.1
    np.testing.assert_allclose(joints["left_wrist"][1:], joints["left_shoulder"][1:], atol=0.02)
    assert joints["head"][1] > joints["neck"][1] > joints["spine3"][1] > 0 > joints["left_knee"][1]
    assert joints["left_foot"][2] > joints["left_ankle"][2] + 0.08
    palms = template[np.abs(template[:, 0]) > 0.7]
    assert np.ptp(palms[:, 2]) > 1.3 * np.ptp(palms[:, 1])  # flat: palms look down or up, not forward


def test_at_most_four_weights_and_rows_sum_to_one(arrays: dict[str, NDArray[Any]]) -> None:
    weights = arrays["weights"]
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    assert (weights > 0).sum(1).max() <= 4
    assert (weights.sum(0) > 1).all()  # every joint moves something


def test_regressor_is_convex_sparse_and_inside_the_body(arrays: dict[str, NDArray[Any]]) -> None:
    regressor, template = arrays["J_regressor"], arrays["v_template"]
    assert regressor.min() >= 0
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-5)
    assert (regressor > 0).sum(1).max() < 100
    for name, joint in zip(JOINT_NAMES, regressor @ template, strict=True):
        near = template[arrays["weights"][:, JOINT_NAMES.index(name)] > 0.3]
        assert (joint > near.min(0) - 0.06).all() and (joint < near.max(0) + 0.06).all(), name
        assert (joint > template.min(0)).all() and (joint < template.max(0)).all()


def test_left_and_right_mirror_each_other(arrays: dict[str, NDArray[Any]], mirror: NDArray[np.int64]) -> None:
    flip = np.array([-1, 1, 1], np.float32)
    other_joint = [JOINT_NAMES.index(mirror_name(name)) for name in JOINT_NAMES]
    joints = arrays["J_regressor"] @ arrays["v_template"]
    np.testing.assert_allclose(joints[other_joint] * flip, joints, atol=1e-5)
    np.testing.assert_allclose(arrays["weights"][mirror][:, other_joint], arrays["weights"], atol=1e-5)
    directions = arrays["shapedirs"]
    np.testing.assert_allclose(directions[mirror] * flip[:, None], directions, atol=2e-4)


def test_parts_are_where_they_belong(body: Body, mirror: NDArray[np.int64]) -> None:
    names = [body.part_names[p] for p in body.part_labels]
    assert set(names) == set(body.part_names)
    assert [mirror_name(n) for n in np.array(names)[mirror]] == names
    height = {name: body.template[np.array(names) == name, 1].mean() for name in body.part_names}
    order = ["scalp", "face", "neck", "torso", "hips", "left_thigh", "left_shin", "left_foot"]
    assert [*sorted(order, key=lambda n: -height[n])] == order
    depth = {name: body.template[np.array(names) == name, 2].mean() for name in ("scalp", "face")}
    assert depth["face"] > depth["scalp"]
    crown = body.template[:, 1].argmax()
    assert names[crown] == "scalp"
