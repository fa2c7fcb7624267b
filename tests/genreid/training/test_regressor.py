"""Fitting the regressor: what is done to its pictures, its schedule, that it learns, that it goes on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from genreid.body.body import Body, BodyParameters, load_body
from genreid.body.rotations import heading_deg, matrix_to_axis_angle, rotate_about_vertical
from genreid.errors import GenreidError
from genreid.mesh.loss import Target
from genreid.mesh.settings import LossSettings, NetworkSettings
from genreid.progress import Forgetful, Silent
from genreid.render.shading import grey_view
from genreid.training.regressor import batch_index, build_regressor, fit_regressor, mask_ious, one_cycle
from genreid.training.regressor_data import Motion, Scenes, distort, move_target, scene_table
from genreid.training.settings.regressor import DistortionSettings, FitSettings
from tests.genreid.training.harness import Recorder

CPU = torch.device("cpu")
HEIGHT, WIDTH = 64, 32
NOBODY = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.uint8)
UNTOUCHED = DistortionSettings(mirror=0, scale=0, shift=0, roll_deg=0, colour=0, soften=0, erase=0, noise=0)
SETTINGS = FitSettings(
    seed=3,
    precision="float32",
    network=NetworkSettings(
        height_px=HEIGHT, width_px=WIDTH, widths=(8, 16, 32), head_width=32, mask_width=8
    ),
    num_scenes=48,
    num_held_out=12,
    epochs=2,
    steps_per_epoch=3,
    batch_size=16,
    lr=3e-3,
    matrix_lr=3e-2,
    warm_up_share=0.1,
    weight_decay=0.0,
    loss=LossSettings(heading=1, root=1, pose=1, betas=0.05, joints=5, joints_2d=5, camera=2, mask=1),
    distortion=UNTOUCHED,
    pictures_every=2,
)


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body("open")


def _people(num: int) -> tuple[BodyParameters, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    pose = 0.1 * torch.randn(num, 23, 3, generator=rng)
    pose[:, 15, 2] -= 1.2
    pose[:, 16, 2] += 1.2
    root = torch.tensor([[math.pi - 0.2, 0.0, 0.0]]).repeat(num, 1)
    headings = 360 * torch.rand(num, generator=rng)
    parameters = BodyParameters(
        rotate_about_vertical(root, headings), pose.flatten(1), torch.randn(num, 10, generator=rng)
    )
    camera = torch.tensor([0.55, 0.0, 0.1]) + 0.03 * torch.randn(num, 3, generator=rng)
    return parameters, camera


def _draw(
    body: Body, parameters: BodyParameters, camera: torch.Tensor, height: int = HEIGHT, width: int = WIDTH
) -> list[np.ndarray]:
    vertices = body.pose(parameters).vertices.numpy()
    both = zip(vertices, camera.numpy(), strict=True)
    views = [grey_view(v, c, body.faces, height, width) for v, c in both]
    return [np.repeat(view[..., None], 3, axis=2) for view in views]


@pytest.fixture(scope="module")
def scenes(body: Body) -> Scenes:
    parameters, camera = _people(60)
    one_by_one = [parameters.select(slice(i, i + 1)) for i in range(60)]
    images = _draw(body, parameters, camera)
    inside = [image[..., 0] > 0 for image in images]
    cut = [
        scene_table(images[a:b], inside[a:b], one_by_one[a:b], list(camera[a:b]))
        for a, b in ((0, 25), (25, 60))
    ]
    return Scenes.from_tables(cut, HEIGHT, WIDTH)


def _parameters(target: Target) -> BodyParameters:
    axis_angle = matrix_to_axis_angle(target.rotations)
    return BodyParameters(axis_angle[:, 0], axis_angle[:, 1:].flatten(1), target.betas)


def test_scenes_come_back_from_their_tables(body: Body, scenes: Scenes) -> None:
    parameters, camera = _people(60)
    assert len(scenes) == 60
    np.testing.assert_array_equal(scenes.image[30], _draw(body, parameters, camera)[30])
    assert torch.equal(scenes.target.camera, camera)
    assert torch.allclose(
        heading_deg(_parameters(scenes.target).global_orient), heading_deg(parameters.global_orient), atol=0.1
    )
    np.testing.assert_array_equal(scenes.target.silhouette, 255 * (scenes.image[..., 0] > 0))
    first, rest = scenes.split(10)
    assert (len(first), len(rest)) == (10, 50)
    np.testing.assert_array_equal(rest.image[0], scenes.image[10])
    np.testing.assert_array_equal(rest.target.silhouette[0], scenes.target.silhouette[10])
    one = scene_table(
        [scenes.image[0]], [scenes.image[0, ..., 0] > 0], [parameters.select(slice(0, 1))], [camera[0]]
    )
    with pytest.raises(GenreidError, match="not of 128x64 pixels"):
        Scenes.from_tables([one], 128, 64)


@pytest.mark.parametrize(
    "change",
    [
        {"mirror": 1.0},
        {"scale": 0.3},
        {"roll_deg": 25.0},
        {"shift": 0.15},
        {"mirror": 0.5, "scale": 0.2, "roll_deg": 15.0, "shift": 0.1},
    ],
)
def test_the_truth_moves_with_the_picture(body: Body, scenes: Scenes, change: dict[str, float]) -> None:
    index = np.arange(10)
    target = scenes.target.select(torch.from_numpy(index))
    picture = np.stack(_draw(body, _parameters(target), target.camera, 256, 128))
    large = Scenes(picture, replace(target, silhouette=torch.from_numpy(picture[..., 0])))
    moved = distort(large, index, replace(UNTOUCHED, **change), np.random.default_rng(0))
    drawn = _draw(body, _parameters(moved.target), moved.target.camera, 256, 128)
    unmoved = []
    for old, picture, view in zip(large.image, moved.image, drawn, strict=True):
        seen, expected, before = (image[..., 0] > 60 for image in (picture, view, old))
        assert (seen & expected).sum() / (seen | expected).sum() > 0.93
        unmoved.append((seen & before).sum() / (seen | before).sum())
    assert np.mean(unmoved) < 0.9


def test_a_roll_worked_by_hand() -> None:
    # A quarter turn clockwise about the middle takes what is to the right of it (+x) below it (+y).
    upright = torch.eye(3).expand(1, 24, 3, 3)
    target = Target(upright, torch.zeros(1, 10), torch.tensor([[0.5, 0.4, 0.0]]), NOBODY)
    motion = Motion(np.array([False]), np.array([2.0]), np.array([90.0]), np.array([[16.0, -8.0]]))
    quarter = move_target(target, motion)
    # s doubles; the pelvis was at s·t = (0.2, 0), goes to (0, 0.4) by roll and scale, then by (0.5, −0.25).
    assert quarter.camera[0, 0] == 1.0
    assert torch.allclose(quarter.camera[0, 1:], torch.tensor([0.5, 0.15]), atol=1e-6)
    assert torch.allclose(quarter.rotations[0, 0, :, 0], torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)
    assert torch.equal(quarter.rotations[0, 1:], upright[0, 1:])


def test_pictures_are_spoilt_and_the_truth_is_not(scenes: Scenes) -> None:
    everything = replace(UNTOUCHED, colour=0.5, soften=1.0, erase=1.0, noise=8.0)
    index = np.arange(12)
    spoilt = distort(scenes, index, everything, np.random.default_rng(0))
    again = distort(scenes, index, everything, np.random.default_rng(0))
    other = distort(scenes, index, everything, np.random.default_rng(1))
    np.testing.assert_array_equal(spoilt.image, again.image)
    assert (spoilt.image != other.image).mean() > 0.3
    assert torch.allclose(spoilt.target.camera, scenes.target.camera[:12], atol=1e-6)
    assert torch.allclose(spoilt.target.rotations, scenes.target.rotations[:12], atol=1e-6)
    untouched = distort(scenes, index, UNTOUCHED, np.random.default_rng(0))
    assert np.abs(untouched.image.astype(int) - scenes.image[:12]).max() <= 1


def test_a_pass_takes_every_scene_once() -> None:
    first = np.concatenate([batch_index(SETTINGS, step) for step in range(3)])
    second = np.concatenate([batch_index(SETTINGS, step) for step in range(3, 6)])
    assert sorted(first) == sorted(second) == list(range(48))
    assert first.tolist() != second.tolist()


def test_the_learning_rate_rises_and_falls() -> None:
    settings = replace(SETTINGS, epochs=4, steps_per_epoch=25, warm_up_share=0.2)
    rates = [one_cycle(step, settings) for step in range(100)]
    assert rates[9] == pytest.approx(0.5)
    assert rates[19] == pytest.approx(1.0)
    assert rates[59] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.0, abs=1e-12)


def test_it_learns_where_people_face(body: Body, scenes: Scenes) -> None:
    network_settings = replace(SETTINGS.network, mask_width=64)
    settings = replace(SETTINGS, network=network_settings, epochs=2, steps_per_epoch=30, num_scenes=24)
    # It is measured on scenes that it has learned from: two dozen are too few to tell anything of others.
    known = np.r_[0:24, 0:12]
    scenes = Scenes(scenes.image[known], scenes.target.select(torch.from_numpy(known)))
    network = build_regressor(settings.network, 0)
    fit = fit_regressor(
        network, body, scenes, settings, device=CPU, checkpoints=Forgetful(), progress=Silent()
    )
    reports = list(fit)
    assert [report.epoch for report in reports] == [0, 1]
    assert reports[1].figures["loss/heading"] < 0.5 * reports[0].figures["loss/heading"]
    # Guessing is 90 degrees off.
    assert reports[1].figures["held_out/median_heading_error_deg"] < 30
    assert reports[1].figures["held_out/mask_iou"] > 0.5  # a person covers 7 % of a picture
    assert not reports[0].pictures
    assert reports[1].pictures["held_out"].shape == (3 * HEIGHT, 12 * WIDTH, 3)


def test_the_overlap_of_masks_counted_by_hand() -> None:
    """Two pixels in common of four; the levels in between are rounded; none in common; both empty."""
    logits = torch.tensor([[[2.0, 0.1, 3.0], [-1.0, -9.0, -2.0]]]).repeat(4, 1, 1)
    logits[3] = -1.0
    silhouette = torch.zeros(4, 2, 3, dtype=torch.uint8)
    silhouette[0, :, 0], silhouette[0, 0, 1] = 255, 128
    silhouette[1, 0] = torch.tensor([127, 128, 255])
    silhouette[2, 1] = 255
    assert mask_ious(logits, silhouette).tolist() == pytest.approx([2 / 4, 2 / 3, 0, 1])


def test_an_interrupted_fit_ends_where_the_undisturbed_one_does(body: Body, scenes: Scenes) -> None:
    def fit(start: bytes | None) -> tuple[dict[str, torch.Tensor], list[float], Recorder]:
        recorder = Recorder(start)
        network = build_regressor(SETTINGS.network, 0)
        settings = replace(SETTINGS, distortion=replace(UNTOUCHED, mirror=0.5, shift=0.1, noise=5.0))
        reports = fit_regressor(
            network, body, scenes, settings, device=CPU, checkpoints=recorder, progress=Silent()
        )
        losses = [report.figures["loss/joints"] for report in reports]
        return network.state_dict(), losses, recorder

    weights, losses, recorder = fit(None)
    assert len(recorder.states) == 6
    for killed_after in (1, 4):
        again, last_losses, _ = fit(recorder.states[killed_after])
        assert last_losses == losses[-len(last_losses) :]
        for name, tensor in weights.items():
            assert torch.equal(again[name], tensor), (killed_after, name)


def test_a_network_depends_on_its_seed_alone() -> None:
    torch.manual_seed(5)
    one = build_regressor(SETTINGS.network, 1).output.weight
    other = build_regressor(SETTINGS.network, 1).output.weight
    assert torch.equal(one, other)
    assert not torch.equal(one, build_regressor(SETTINGS.network, 2).output.weight)


def test_a_fit_depends_on_its_seed_alone(body: Body, scenes: Scenes) -> None:
    """Whatever else the process has drawn before."""

    def fit(drawn_before: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(drawn_before)
        np.random.seed(drawn_before)  # noqa: NPY002
        network = build_regressor(SETTINGS.network, 0)
        list(
            fit_regressor(
                network, body, scenes, SETTINGS, device=CPU, checkpoints=Forgetful(), progress=Silent()
            )
        )
        return network.state_dict()

    one, other = fit(1), fit(2)
    assert all(torch.equal(one[name], other[name]) for name in one)
