"""BlazePose without its network: hand-made landmarks have to give back the body that they were made of."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
import torch

from genreid.body.body import Body
from genreid.body.camera import project
from genreid.body.rotations import heading_deg, wrap_deg
from genreid.mesh.accuracy import silhouettes
from genreid.mesh.blazepose.estimator import BlazePoseEstimator
from genreid.mesh.blazepose.facing import BackRule, frontness, settled
from genreid.mesh.blazepose.fit import BodyFitter
from genreid.mesh.blazepose.girth import _CLOTHES, Girth
from genreid.mesh.blazepose.landmarks import LANDMARK_NAMES, Landmarks
from genreid.mesh.blazepose.network import PoseNetwork
from genreid.mesh.blazepose.squares import Square
from genreid.mesh.settings import BlazePoseSettings
from genreid.mesh.shards import MeshEstimates
from genreid.mesh.skeleton import Skeleton

from .blazepose_fakes import PX_PER_M, FakeNetwork, changed, landmarks_of, picture, walkers

SETTINGS = BlazePoseSettings("heavy", 0.34, "mean_pose")
HEADINGS = (0.0, 40.0, 90.0, 150.0, 180.0, -120.0, -70.0)
FACE = LANDMARK_NAMES[:11]
RULE = BackRule(4.6, -2.1, -3.7)


def same(one: Landmarks, other: Landmarks) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(Landmarks))


def alike(one: Landmarks, other: Landmarks) -> bool:
    """The same but for rounding."""
    names = [field.name for field in fields(Landmarks)]
    return all(np.allclose(getattr(one, name), getattr(other, name), atol=1e-4) for name in names)


def as_back(known: Landmarks) -> Landmarks:
    """With a cold face, as the back of a head gives."""
    return changed(known, FACE, peak=-0.5)


# The fit ------------------------------------------------------------------------------------------------


def test_landmarks_of_a_body_give_that_body_back(body: Body) -> None:
    true = walkers(*HEADINGS)
    known = landmarks_of(body, true, pelvis_px=(120, 110))
    fitted = BodyFitter(Skeleton.of(body)).fit(
        *map(torch.from_numpy, (known.image, known.world, known.visibility))
    )
    off_deg = wrap_deg(heading_deg(fitted.parameters.global_orient) - heading_deg(true.global_orient)).abs()
    assert off_deg.max() < 4, off_deg
    found, there = body.pose(fitted.parameters), body.pose(true)
    off_m = (found.joints - there.joints).norm(dim=2)[:, :22].mean(1)  # a hand's roll shows in no landmark
    assert off_m.max() < 0.03, off_m
    torch.testing.assert_close(fitted.scale_px, torch.full((len(true),), PX_PER_M), rtol=0.05, atol=0)
    torch.testing.assert_close(
        fitted.pelvis_px, torch.tensor([[120.0, 110.0]]).expand(len(true), 2), rtol=0, atol=2
    )


@pytest.mark.parametrize(("row", "is_first"), [(64, True), (3, False), (69, False)])
def test_a_body_does_not_depend_on_the_others_it_is_fitted_with(body: Body, row: int, is_first: bool) -> None:
    """To the last bit, if it has the same place among them: elsewhere a product of matrices may round
    otherwise (MKL on an AMD EPYC)."""
    known = landmarks_of(body, walkers(*HEADINGS))
    estimator = BlazePoseEstimator(SETTINGS, FakeNetwork(known), body)
    crops = [picture(person % len(HEADINGS)) for person in range(70)]  # more than one batch of the fit
    together = estimator.estimate([""] * 70, crops).select(np.array([row]))
    alone = estimator.estimate([""], crops[row : row + 1])
    off = 0.0 if is_first else 1e-5
    for one, other in (
        (alone.parameters.body_pose, together.parameters.body_pose),
        (alone.parameters.global_orient, together.parameters.global_orient),
        (alone.camera, together.camera),
    ):
        torch.testing.assert_close(one, other, rtol=off, atol=off)
    assert alone.masks == together.masks


def test_the_camera_is_that_of_the_native_crop(body: Body) -> None:
    true = walkers(30.0)
    known = landmarks_of(body, true, pelvis_px=(140, 130))
    found = BlazePoseEstimator(SETTINGS, FakeNetwork(known), body).estimate([""], [picture(0)])
    pelvis = project(torch.zeros(1, 1, 3), found.camera, 128, 128)[0, 0]
    # The square's 160 pixels are shown as 256, and the crop begins 16 inside it.
    expected = torch.tensor([140, 130]) * 160 / 256 - 16
    torch.testing.assert_close(pelvis, expected.float(), rtol=0, atol=1.5)
    metre = project(torch.eye(3)[None, :1], found.camera, 128, 128)[0, 0] - pelvis
    assert metre[0].item() == pytest.approx(PX_PER_M * 160 / 256, rel=0.03)


def test_a_body_grows_or_shrinks_half_way_to_its_mask(body: Body, people: MeshEstimates) -> None:
    size = np.full(len(people), 256), np.full(len(people), 128)
    own = silhouettes(people, body, *size)
    masks = [np.where(covered, 255, 0).astype(np.uint8) for covered in own]
    before = np.array([covered.sum() for covered in own])

    def area_after(change: float) -> np.ndarray:
        """Of bodies whose masks differ from them by this log ratio and by what clothes add."""
        wide = [
            cv2.resize(mask, None, fx=np.exp(change + _CLOTHES), fy=1, interpolation=cv2.INTER_NEAREST)
            for mask in masks
        ]
        padded = [np.zeros((256, 128), np.uint8) for _ in wide]
        for empty, mask in zip(padded, wide, strict=True):  # its area counts, wherever it is
            filled = min(empty.size, int((mask > 127).sum()))
            empty.reshape(-1)[:filled] = 255
        found = Girth(body).corrected(people, padded)
        return np.array([covered.sum() for covered in silhouettes(found, body, *size)])

    np.testing.assert_allclose(np.log(area_after(0.0) / before), 0, atol=0.01)
    assert np.median(np.log(area_after(0.2) / before)) == pytest.approx(0.1, abs=0.04)
    assert np.median(np.log(area_after(-0.2) / before)) == pytest.approx(-0.1, abs=0.04)
    empty = Girth(body).corrected(people, [np.zeros((256, 128), np.uint8)] * len(people))
    assert torch.equal(empty.parameters.betas, people.parameters.betas), "an empty mask says nothing"


# Both passes --------------------------------------------------------------------------------------------


def test_a_mirrored_mirror_image_is_the_image(body: Body) -> None:
    known = landmarks_of(body, walkers(*HEADINGS))
    known = replace(known, mask=np.random.default_rng(0).random(known.mask.shape, np.float32))
    there = known.mirrored()
    assert not alike(there, known) and alike(there.mirrored(), known)
    left, right = LANDMARK_NAMES.index("left_knee"), LANDMARK_NAMES.index("right_knee")
    np.testing.assert_allclose(there.image[:, left, 0], 256 - known.image[:, right, 0])
    np.testing.assert_allclose(there.world[:, left], known.world[:, right] * [-1, 1, 1])
    assert there.mask[0, 5, 7] == known.mask[0, 5, 248]


def test_the_mirrored_crop_gives_the_mirrored_landmarks(body: Body) -> None:
    rng = np.random.default_rng(1)
    first = landmarks_of(body, walkers(*HEADINGS))
    noisy = (first.world + rng.normal(0, 0.03, first.world.shape)).astype(np.float32)
    second = replace(first, world=noisy)
    seen = settled(first, second, RULE)
    # A mirrored crop exchanges the passes, and each is the mirror image of what it was.
    mirrored = settled(second.mirrored(), first.mirrored(), RULE)
    assert alike(mirrored, seen.mirrored()) and not alike(mirrored, seen)


def test_where_both_passes_agree_the_mean_is_what_they_say(body: Body) -> None:
    known = landmarks_of(body, walkers(0.0, 60.0))
    assert same(settled(known, known, RULE), known)


# Front and back -----------------------------------------------------------------------------------------


def test_a_cold_face_makes_a_front_a_back(body: Body) -> None:
    front, back = landmarks_of(body, walkers(20.0)), landmarks_of(body, walkers(160.0))
    assert frontness(front)[0] > 0.9 and frontness(back)[0] < -0.9
    assert frontness(settled(front, front, RULE))[0] > 0.9, "the face is warm"
    found = settled(as_back(front), as_back(front), RULE)
    assert frontness(found)[0] == pytest.approx(-frontness(front)[0])
    for name in ("knee", "wrist"):
        left, right = LANDMARK_NAMES.index(f"left_{name}"), LANDMARK_NAMES.index(f"right_{name}")
        np.testing.assert_allclose(found.image[:, left], front.image[:, right], err_msg="it looks the same")
        np.testing.assert_allclose(found.world[:, left], front.world[:, right] * [1, 1, -1])


def test_of_two_passes_that_disagree_one_is_turned_about(body: Body) -> None:
    front = landmarks_of(body, walkers(0.0))
    back = front.turned_about(np.array([True]))
    for first, second in ((front, back), (back, front)):
        assert same(settled(as_back(first), as_back(second), RULE), as_back(back))
        warm = settled(first, second, replace(RULE, constant=2.0))
        assert same(warm, front), "two warm faces outvote a pass that says nothing by itself"


def test_a_profile_stays_as_it_is(body: Body) -> None:
    profile = as_back(landmarks_of(body, walkers(75.0)))
    assert RULE.is_back(profile, profile)[0]
    assert same(settled(profile, profile, RULE), profile)


def test_a_turned_body_walks_the_other_way(body: Body) -> None:
    known = as_back(landmarks_of(body, walkers(15.0)))
    found = BlazePoseEstimator(SETTINGS, FakeNetwork(known), body).estimate([""], [picture(0)])
    assert heading_deg(found.parameters.global_orient).item() == pytest.approx(165, abs=6)


# Pictures in and out of the square ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [(129, 61), (60, 96), (8, 40), (500, 200)])
def test_a_place_in_the_crop_is_found_again_in_the_square(size: tuple[int, int]) -> None:
    height, width = size
    crop = np.zeros((height, width, 3), np.uint8)
    y, x = height // 2, width // 3
    crop[y, x] = 255
    square = Square.around(height, width)
    seen = square.cut(crop)[..., 0].astype(float)
    v, u = (np.indices(seen.shape) + 0.5).reshape(2, -1) @ seen.reshape(-1) / seen.sum()
    s, t_x, t_y = square.camera(10.0, u, v)
    there = project(torch.zeros(1, 1, 3), torch.tensor([[s, t_x, t_y]]).float(), height, width)[0, 0]
    torch.testing.assert_close(there, torch.tensor([x + 0.5, y + 0.5]), rtol=0, atol=0.6)
    assert s * max(size) / 2 == pytest.approx(10.0 * square.side_px / 256)


def test_edges_are_repeated_around_a_crop() -> None:
    crop = np.zeros((100, 50, 3), np.uint8)
    crop[:, 25:] = 200
    seen = Square.around(100, 50).cut(crop)
    assert (seen[:, :120] == 0).all() and (seen[:, 136:] == 200).all()


def test_the_mask_comes_back_at_the_crops_size() -> None:
    square = Square.around(120, 50)
    crop = np.zeros((120, 50, 3), np.uint8)
    crop[30:90, 10:40] = 255
    mask = square.mask(square.cut(crop)[..., 0])
    assert mask.shape == (120, 50)
    assert ((mask > 127) != (crop[..., 0] > 127)).mean() < 0.02


# The network's outputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("channels_last", [True, False])
def test_outputs_are_told_apart_by_their_size(channels_last: bool) -> None:
    rng = np.random.default_rng(2)
    five = rng.normal(size=(1, 195)).astype(np.float32)
    world = rng.normal(size=(1, 117)).astype(np.float32)
    heat = rng.normal(size=(1, 64, 64, 39)).astype(np.float32)
    logits = rng.normal(size=(1, 256, 256, 1)).astype(np.float32)
    presence = np.array([[0.75]], np.float32)
    seen: list[np.ndarray] = []

    def run(given: np.ndarray) -> list[np.ndarray]:
        seen.append(given)
        return [presence, heat if channels_last else heat.transpose(0, 3, 1, 2), logits, five, world]

    found = PoseNetwork(run).look(np.full((256, 256, 3), 51, np.uint8))
    assert seen[0].shape == (1, 256, 256, 3) and seen[0].dtype == np.float32
    assert np.allclose(seen[0], 0.2) and found.presence.item() == 0.75
    for k in (0, 32):
        assert found.image[0, k].tolist() == five[0, 5 * k : 5 * k + 2].tolist()
        assert found.world[0, k].tolist() == world[0, 3 * k : 3 * k + 3].tolist()
        assert found.visibility[0, k] == pytest.approx(1 / (1 + np.exp(-five[0, 5 * k + 3])))
        assert found.peak[0, k] == heat[..., k].max()
    np.testing.assert_allclose(found.mask[0], 1 / (1 + np.exp(-logits[0, :, :, 0])), rtol=1e-5)


# What each image gets -----------------------------------------------------------------------------------


def statuses(body: Body, known: Landmarks, *crops: np.ndarray) -> list[str]:
    found = BlazePoseEstimator(SETTINGS, FakeNetwork(known), body).estimate([""] * len(crops), crops)
    assert torch.isfinite(found.camera).all() and np.isfinite(found.score).all()
    for part in (found.parameters.global_orient, found.parameters.body_pose, found.parameters.betas):
        assert torch.isfinite(part).all()
    assert [mask is None for mask in found.masks] == [status != "ok" for status in found.status]
    return found.status


def test_pictures_with_nothing_to_look_at_are_failed(body: Body) -> None:
    known = landmarks_of(body, walkers(0.0))
    tiny = [cv2.resize(picture(0), size) for size in ((4, 8), (1, 200), (200, 1))]
    plain = [np.full((128, 64, 3), level, np.uint8) for level in (0, 128)]
    assert statuses(body, known, *tiny, *plain, picture(0)) == ["failed"] * 5 + ["ok"]


def test_cold_landmarks_are_nobody_and_so_is_who_stands_on_the_head(body: Body) -> None:
    known = landmarks_of(body, walkers(0.0))
    assert statuses(body, changed(known, LANDMARK_NAMES[11:], peak=-1.0), picture(0)) == ["no_person"]
    upside_down = replace(
        known, image=known.image * np.array([1, -1], np.float32) + np.array([0, 256], np.float32)
    )
    assert statuses(body, upside_down, picture(0)) == ["no_person"]


@pytest.mark.parametrize("field", ["image", "world", "visibility", "mask", "peak"])
def test_an_answer_that_is_not_finite_is_failed_and_harms_no_other(body: Body, field: str) -> None:
    known = landmarks_of(body, walkers(0.0, 50.0))
    array = getattr(known, field).copy()
    array[0].flat[-1] = np.nan
    broken = replace(known, **{field: array})
    assert statuses(body, broken, picture(0), picture(1)) == ["failed", "ok"]


def test_the_score_is_the_mean_chance_of_the_landmarks_below_the_head(body: Body) -> None:
    known = changed(landmarks_of(body, walkers(0.0)), LANDMARK_NAMES[11:22], peak=0.0)
    found = BlazePoseEstimator(SETTINGS, FakeNetwork(known), body).estimate([""], [picture(0)])
    assert found.score[0] == pytest.approx((0.5 + 1 / (1 + np.exp(-1.5))) / 2, abs=1e-6)


def test_no_images_are_no_rows(body: Body) -> None:
    known = landmarks_of(body, walkers(0.0))
    assert len(BlazePoseEstimator(SETTINGS, FakeNetwork(known), body).estimate([], [])) == 0
