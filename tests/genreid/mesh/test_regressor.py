"""The network's crop against projection and masks in the native picture; the estimator's promises; its
checkpoint.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from genreid.body.body import Body
from genreid.body.camera import project
from genreid.body.rotations import axis_angle_to_matrix, heading_deg
from genreid.errors import GenreidError
from genreid.mesh.estimator import build_estimator
from genreid.mesh.mirror import mirror_camera
from genreid.mesh.regressor import (
    Regressor,
    camera_from_image,
    load_regressor,
    network_input,
    regressor_checkpoint,
)
from genreid.mesh.regressor_estimator import Crop, RegressorEstimator
from genreid.mesh.settings import NetworkSettings
from genreid.mesh.shards import MeshEstimates, mesh_table

CPU = torch.device("cpu")
# SMPL's joints by number: hips, knees, ankles, feet, collars, shoulders, elbows, wrists, hands.
PAIRS = [(1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23)]
OTHER_SIDE = [dict(PAIRS + [(b, a) for a, b in PAIRS]).get(joint, joint) for joint in range(24)]
SETTINGS = NetworkSettings(height_px=64, width_px=32, widths=(8, 16, 16), head_width=32, mask_width=8)


@pytest.fixture
def network() -> Regressor:
    """A network that says something different of every image."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Regressor(SETTINGS)
        network.train()
        for _ in range(3):
            network(torch.randn(16, 3, 64, 32))
        torch.nn.init.normal_(network.output.weight, std=0.5)
        loud: Any = network.mask_head.output[2]
        torch.nn.init.normal_(loud.weight, std=20.0)
    return network.eval()


def _pictures(num: int, height: int = 64, width: int = 32) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(num)]


@pytest.mark.parametrize("size", [(128, 64), (100, 64), (37, 91), (301, 60), (64, 32)])
def test_a_camera_seen_in_the_crop_is_the_same_in_the_native_picture(size: tuple[int, int]) -> None:
    height, width = size
    crop = Crop.of(height, width, SETTINGS)
    assert crop.cut(np.zeros((height, width, 3), np.uint8)).shape == (64, 32, 3)
    points, camera = torch.randn(1, 20, 3), torch.tensor([0.8, 0.1, -0.2])
    in_crop = project(points, camera[None], 64, 32)[0].numpy()
    native = project(points, crop.camera_to_native(camera)[None], height, width)[0].numpy()
    # The way back from the crop's pixels: its scale, less the edges that were added.
    scale = np.array([crop.padded_width / 32, crop.padded_height / 64])
    margin = np.array([(crop.padded_width - width) // 2, (crop.padded_height - height) // 2])
    np.testing.assert_allclose(native, in_crop * scale - margin, atol=0.02 * max(size))
    if crop.padded_height == 2 * crop.padded_width:
        np.testing.assert_allclose(native, in_crop * scale - margin, atol=1e-3)


def test_edges_keep_the_proportions() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[10:30, 10:30] = 200
    cut = Crop.of(40, 40, SETTINGS).cut(image)[..., 0] > 100
    rows, columns = np.flatnonzero(cut.any(1)), np.flatnonzero(cut.any(0))
    assert len(rows) == len(columns) == 16
    assert abs(rows.mean() - 31.5) < 0.6 and abs(columns.mean() - 15.5) < 0.6


@pytest.mark.parametrize("size", [(64, 32), (40, 40), (37, 91), (301, 60), (20, 100)])
def test_a_mask_seen_in_the_crop_lies_there_in_the_native_picture(size: tuple[int, int]) -> None:
    """A box off the middle: each of its edges comes back to a pixel of the network's."""
    height, width = size
    box = height // 5, height - height // 3, width // 6, width - width // 4
    native = np.zeros((height, width), np.uint8)
    native[box[0] : box[1], box[2] : box[3]] = 255
    crop = Crop.of(height, width, SETTINGS)
    back = crop.mask_to_native(crop.cut(np.repeat(native[..., None], 3, axis=2))[..., 0])
    assert back.shape == size and back.dtype == np.uint8
    rows, columns = (np.flatnonzero((back > 127).any(axis)) for axis in (1, 0))
    found = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    pixel = max(crop.padded_height / 64, crop.padded_width / 32, 1)
    np.testing.assert_allclose(found, box, atol=pixel)


@pytest.mark.parametrize("widths", [(8, 16), (8, 16, 24, 32)])
def test_the_mask_is_of_the_inputs_size(widths: tuple[int, ...]) -> None:
    settings = NetworkSettings(height_px=64, width_px=32, widths=widths, head_width=8, mask_width=4)
    said = Regressor(settings).eval()(torch.randn(3, 3, 64, 32))
    assert said.mask.shape == (3, 64, 32) and said.rotation_6d.shape == (3, 24, 6)


def test_a_mask_looks_at_what_is_near(network: Regressor) -> None:
    """What changes in a corner of the image changes the mask there and not in the other corner."""
    images = torch.randn(1, 3, 64, 32)
    changed = images.clone()
    changed[:, :, 48:, :8] += 3.0
    apart = (network(changed).mask - network(images).mask)[0].abs()
    assert apart[52:, :4].mean() > 10 * apart[:8].mean()
    assert apart[52:, :4].mean() > 2 * apart[52:, -4:].mean()


def test_an_image_and_its_mirror_image_get_mirrored_bodies(network: Regressor) -> None:
    images = _pictures(5)
    estimator = RegressorEstimator(network, CPU)
    seen = estimator.estimate(list("abcde"), images)
    mirrored = estimator.estimate(list("abcde"), [np.ascontiguousarray(i[:, ::-1]) for i in images])
    assert seen.status == ["ok"] * 5
    assert torch.allclose(
        heading_deg(mirrored.parameters.global_orient), -heading_deg(seen.parameters.global_orient), atol=0.05
    )
    assert torch.allclose(mirrored.camera, mirror_camera(seen.camera), atol=1e-4)
    np.testing.assert_allclose(mirrored.score, seen.score, atol=1e-4)
    assert heading_deg(seen.parameters.global_orient).std() > 1
    for row in range(5):
        mask, other = seen.mask(row), mirrored.mask(row)
        assert mask is not None and other is not None
        assert np.abs(mask.astype(int) - other[:, ::-1]).max() <= 17  # the last bit may fall either way
        assert np.abs(mask.astype(int) - mask[:, ::-1]).mean() > 20


def test_a_mask_is_the_mean_of_what_is_seen_in_both_images(network: Regressor) -> None:
    image = _pictures(1)[0]
    with torch.no_grad():
        seen, mirrored = (network(network_input(i[None])).mask[0].numpy() for i in (image, image[:, ::-1]))
    expected = 255 * (1 / (1 + np.exp(-seen)) + 1 / (1 + np.exp(-mirrored[:, ::-1]))) / 2
    mask = RegressorEstimator(network, CPU).estimate(["a"], [image]).mask(0)
    assert mask is not None and mask.dtype == np.uint8
    np.testing.assert_allclose(mask, expected, atol=9.01)  # half of a step of 17, and rounding


def test_an_answer_is_the_mean_of_both_sides(network: Regressor) -> None:
    """The way back from a mirror turns signs: of t_x; of a root's first column y and z, of its second x."""
    images = _pictures(3)
    found = RegressorEstimator(network, CPU).estimate(list("abc"), images)
    pixels = network_input(np.stack(images))
    with torch.no_grad():
        seen, mirrored = network(pixels), network(pixels.flip(3))
    torch.testing.assert_close(found.parameters.betas, (seen.betas + mirrored.betas) / 2)
    camera = (seen.camera + mirrored.camera * torch.tensor([1.0, -1.0, 1.0])) / 2
    torch.testing.assert_close(found.camera, camera_from_image(camera))
    signs = torch.tensor([1.0, -1, -1, -1, 1, 1])
    root = (seen.rotation_6d[:, 0] + mirrored.rotation_6d[:, 0] * signs) / 2
    length = root[:, :3].norm(dim=1)
    np.testing.assert_allclose(found.score, length.clamp(max=1), rtol=1e-5)
    turned = axis_angle_to_matrix(found.parameters.global_orient)
    torch.testing.assert_close(turned[:, :, 0], root[:, :3] / length[:, None], atol=1e-4, rtol=0)


def test_rotations_are_averaged_joint_by_joint_with_those_of_the_other_side(network: Regressor) -> None:
    """Columns of R and of S·R·S, S = diag(−1, 1, 1), each at its length; then QR in place of Gram–Schmidt."""
    pictures = _pictures(4)
    found = RegressorEstimator(network, CPU).estimate(list("abcd"), pictures).parameters
    rotations = axis_angle_to_matrix(
        torch.cat([found.global_orient, found.body_pose], 1).unflatten(1, (24, 3))
    )
    pixels = network_input(np.stack(pictures))
    with torch.inference_mode():
        seen, mirrored = network(pixels).rotation_6d.numpy(), network(pixels.flip(3)).rotation_6d.numpy()
    flip = np.diag([-1.0, 1.0, 1.0])
    for image in range(4):
        for joint, other in enumerate(OTHER_SIDE):
            first, second = mirrored[image, other, :3], mirrored[image, other, 3:]
            columns = np.stack([flip @ first * -1, flip @ second], axis=1)
            mean = (np.stack([seen[image, joint, :3], seen[image, joint, 3:]], axis=1) + columns) / 2
            q, r = np.linalg.qr(mean)
            q = q * np.sign(np.diag(r))
            expected = np.column_stack([q, np.cross(q[:, 0], q[:, 1])])
            np.testing.assert_allclose(rotations[image, joint], expected, atol=2e-4)


def test_a_block_halves_the_map_and_adds_the_means_of_four_pixels_projected(network: Regressor) -> None:
    block: Any = network.stages[0]
    x = torch.randn(2, 8, 6, 4)
    y = block.first_norm(F.conv2d(x, block.first.weight, stride=2, padding=1)).clamp(min=0)
    y = block.second_norm(F.conv2d(y, block.second.weight, padding=1))
    means = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
    past = torch.einsum("bchw,dc->bdhw", means, block.past[1].weight[..., 0, 0])
    torch.testing.assert_close(block(x), (y + past).clamp(min=0))


def test_convolutions_have_no_bias_that_a_batch_norm_takes_away(network: Regressor) -> None:
    kinds = [type(layer) for layer in network.modules()]
    # stem and stages, then the mask's: three maps come in, two are mixed, one goes out
    assert kinds.count(nn.Conv2d) == 7 + 3 + 2 + 1 and kinds.count(nn.BatchNorm2d) == 5 + 2 + 1
    biased = [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and layer.bias is not None
    ]
    assert biased == ["mask_head.output.2"]


def test_every_image_gets_a_row_that_depends_on_it_alone(network: Regressor) -> None:
    good = _pictures(3)
    flat, tiny = np.full((64, 32, 3), 7, np.uint8), good[0][:5, :5]
    estimator = RegressorEstimator(network, CPU)
    found = estimator.estimate(list("abcde"), [good[0], flat, good[1], tiny, good[2]])
    assert found.status == ["ok", "failed", "ok", "failed", "ok"]
    alone = estimator.estimate(["e"], [good[2]])
    assert torch.allclose(found.camera[4], alone.camera[0], atol=1e-5)
    assert ((found.score >= 0) & (found.score <= 1)).all()
    assert estimator.estimate([], []).status == []
    assert [mask is None for mask in found.masks] == [False, True, False, True, False]
    assert found.masks[4] == alone.masks[0]


def test_a_mask_that_is_not_finite_is_a_failure(network: Regressor) -> None:
    pictures = _pictures(2)
    with torch.no_grad():
        network.mask_head.output[2].bias[5] = torch.nan
    assert RegressorEstimator(network, CPU).estimate(["a", "b"], pictures).status == ["failed"] * 2


def test_an_answer_that_is_not_finite_is_a_failure(network: Regressor, body: Body) -> None:
    with torch.no_grad():
        network.output.bias[-1] = torch.nan
    found = RegressorEstimator(network, CPU).estimate(["a"], _pictures(1))
    assert found.status == ["failed"]
    mesh_table(["a"], found, "regressor", body.fingerprint)


def test_a_checkpoint_brings_the_network_back(network: Regressor, body: Body) -> None:
    checkpoint = regressor_checkpoint(network, body)
    back = load_regressor(checkpoint, body)
    assert back.settings == SETTINGS and not back.training
    pixels = network_input(np.stack(_pictures(2)))
    assert torch.equal(back(pixels).rotation_6d, network(pixels).rotation_6d)
    assert torch.equal(back(pixels).mask, network(pixels).mask)


def test_checkpoints_that_do_not_fit(network: Regressor, body: Body) -> None:
    checkpoint = regressor_checkpoint(network, body)
    with pytest.raises(GenreidError, match=r"fitted to body x, the one in use is .*fit-regressor"):
        load_regressor({**checkpoint, "body": "x"}, body)
    with pytest.raises(GenreidError, match=r"models/a\.pt: is None version None, expected 'genreid"):
        load_regressor({}, body, "models/a.pt")
    with pytest.raises(
        GenreidError, match=r"'genreid.regressor' version 1, expected 'genreid.regressor' version 2"
    ):
        load_regressor({**checkpoint, "version": 1}, body)
    with pytest.raises(GenreidError, match="are not this program's"):
        load_regressor({**checkpoint, "settings": {"height_px": 64}}, body)
    next(iter(checkpoint["weights"].values())).view(-1)[0] = float("nan")
    with pytest.raises(GenreidError, match=r"numbers that are not finite; fit it again with .*fit-regressor"):
        load_regressor(checkpoint, body)


def test_a_network_that_cannot_be_built() -> None:
    with pytest.raises(GenreidError, match="sides divisible by 16"):
        NetworkSettings(height_px=64, width_px=40, widths=(8, 16, 16), head_width=32, mask_width=8)


def _build(name: str, body: Body, regressor: object = None, truth: pa.Table | None = None) -> object:
    return build_estimator(name, body, regressor=regressor, truth=truth, device=CPU)  # type: ignore[arg-type]


def test_estimators_by_name(network: Regressor, body: Body, people: MeshEstimates) -> None:
    assert isinstance(_build("regressor", body, regressor_checkpoint(network, body)), RegressorEstimator)
    truth = mesh_table([f"image {i}" for i in range(8)], people, "ground_truth", body.fingerprint)
    found = build_estimator("ground_truth", body, regressor=None, truth=truth, device=CPU).estimate(
        ["image 5", "a stranger", "image 0"], _pictures(3)
    )
    assert found.status == ["ok", "failed", "ok"]
    assert torch.equal(found.camera[[0, 2]], people.camera[[5, 0]])
    assert found.masks == [None] * 3


def test_estimators_that_lack_what_they_need(body: Body) -> None:
    with pytest.raises(GenreidError, match="run `genreid fit-regressor`"):
        _build("regressor", body)
    with pytest.raises(GenreidError, match="only the synthetic benchmark"):
        _build("ground_truth", body)
    expected = "'smplify': expected regressor, blazepose, romp, ground_truth or mean_pose"
    with pytest.raises(GenreidError, match=expected):
        _build("smplify", body)
