"""What a run takes of memory and disk."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.training import loader, needs
from genreid.training.needs import Workload, estimate_needs, saved_bytes
from genreid.warping import images as warping
from tests.genreid.models.small import DISCRIMINATOR, GENERATOR, encoder_settings


def workload(**changes: Any) -> Workload:
    values: dict[str, Any] = {
        "num_images": 1000,
        "native_px": (128, 64),
        "training_px": (64, 32),
        "num_yaws": 8,
        "warm_up_batch": 64,
        "joint_batch": 16,
        "num_painted": 4,
        "warps": False,
        "is_synthetic": False,
        "num_workers": 2,
        "num_scenes": 0,
        "scene_px": (128, 64),
        "encoder": encoder_settings(),
        "generator": GENERATOR,
        "discriminator": DISCRIMINATOR,
    }
    return Workload(**{**values, **changes})


def test_what_a_backward_pass_keeps_counted_by_hand() -> None:
    """Input, what the convolution and the activation give, mean and deviation of the 8 channels."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
    )
    by_hand = 4 * (2 * 3 * 16 * 8 + 2 * (2 * 8 * 16 * 8) + 2 * 8)
    assert saved_bytes(network, torch.empty(2, 3, 16, 8)) == by_hand
    assert saved_bytes(network.to("meta"), torch.empty(2, 3, 16, 8, device="meta")) == by_hand


def test_what_two_layers_keep_of_one_tensor_is_counted_once() -> None:
    """What the activation gives is the input of the next convolution: both keep it, in the same memory."""
    network = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.ReLU(), nn.Conv2d(8, 4, 1, bias=False))
    by_hand = 4 * (2 * 3 * 16 * 8 + 2 * 8 * 16 * 8)
    assert saved_bytes(network, torch.empty(2, 3, 16, 8)) == by_hand


@pytest.mark.slow
def test_needs_grow_with_what_causes_them() -> None:
    base = estimate_needs(workload())
    assert estimate_needs(workload(num_images=2000)).disk > 1.5 * base.disk
    assert estimate_needs(workload(native_px=(256, 128))).disk > 3 * base.disk
    assert estimate_needs(workload(is_synthetic=True)).memory > base.memory
    larger = estimate_needs(workload(warm_up_batch=128, joint_batch=32))
    assert base.training < larger.training <= 2 * base.training
    assert estimate_needs(workload(num_painted=5)).joint > base.joint
    wider = estimate_needs(workload(encoder=encoder_settings(base_width=32)))
    assert wider.training > 2 * base.training


def test_a_full_size_step_needs_what_the_field_knows() -> None:
    """A ResNet-50 at 256×128 with 256 images a batch: more than 16 GB, less than 48 (four 11 GB cards)."""
    encoder = encoder_settings(backbone="resnet50", base_width=64, stem="imagenet")
    needs = estimate_needs(workload(training_px=(256, 128), warm_up_batch=256, encoder=encoder))
    assert 16e9 < needs.training < 48e9


def test_memory_grows_by_what_is_kept_of_an_image_until_the_caches_are_full() -> None:
    """By hand: 3 bytes of a pixel of the image and one for each of 8 views; two rows of 64 floats; then the
    rows alone, and caches of 2 GiB each, as the loader has them."""
    few, more, many, most = (
        estimate_needs(workload(num_images=num)).memory for num in (0, 1000, 10**7, 10**7 + 1000)
    )
    assert more - few == 1000 * ((3 + 8) * 64 * 32 + 2 * 4 * 64)
    assert most - many == 1000 * 2 * 4 * 64
    assert many - few == 2 * 2 * 1024**3 + 10**7 * 2 * 4 * 64
    assert loader._CACHE_BYTES == needs._LARGEST_CACHE_BYTES


def test_turned_persons_are_kept_with_the_views_and_their_bodies_apart() -> None:
    """By hand, an image more: 4 bytes of a pixel for each of 7 turns; 11 of each of SMPL's 6,890 vertices,
    and the image without its person. Then a third cache is full."""
    plain, warped = ([memory_of(num, warps) for num in (0, 1000, 10**7)] for warps in (False, True))
    turned = 4 * 7 * 64 * 32 + 11 * 6890 + 3 * 64 * 32
    assert warped[1] - warped[0] == plain[1] - plain[0] + 1000 * turned
    assert warped[2] - plain[2] == 2 * 1024**3
    assert warping._CACHE_BYTES == needs._LARGEST_CACHE_BYTES


def memory_of(num_images: int, warps: bool) -> float:
    return estimate_needs(workload(num_images=num_images, warps=warps)).memory


def test_disk_of_an_image_counted_by_hand() -> None:
    """Of 128×64 pixels: eight views of half a byte a pixel, a mask of 1,886 bytes, a row; each twice, and the
    pieces of the views while they are joined."""
    few, more = (estimate_needs(workload(num_images=num)).disk for num in (2000, 3000))
    assert more - few == pytest.approx(1000 * (2 * (8 * 4096 + 1886 + 800) + 8 * 4096), rel=1e-3)


def test_scenes_are_counted_on_the_disk_and_in_memory_by_hand() -> None:
    """A million of 128×64: colours, and a bit a pixel; in memory a table and arrays of them at once."""
    needs = estimate_needs(workload(num_images=0, num_scenes=10**6))
    assert needs.state == pytest.approx(1e6 * 128 * 64 * (3 + 1 / 8), rel=0.02)
    both = 2 * (3 + 1 / 8) + 1 + 1  # and the silhouette a byte a pixel, as it is unpacked and as it is scaled
    assert needs.memory == pytest.approx(1.2e9 + 1e6 * 128 * 64 * both, rel=0.02)
    assert estimate_needs(workload(num_images=0, num_scenes=10)).memory == pytest.approx(3.2e9), "two workers"


def test_weights_are_counted_where_they_are_written() -> None:
    """Of each network two checkpoints, in the workspace and in DVC's cache; and the state of its training,
    which has two moments beside each weight."""
    encoder = build_encoder(encoder_settings(), 0)
    generator = build_generator(GENERATOR, encoder.appearance_dim, 4, 0)
    networks = encoder, generator, build_discriminator(DISCRIMINATOR, 0)
    tensors = [tensor for network in networks for tensor in network.state_dict().values()]
    weights = sum(tensor.nbytes for tensor in tensors)
    assert estimate_needs(workload(num_images=0)).disk == 2 * 2 * weights + 3 * weights


def test_a_further_picture_costs_what_the_generator_keeps_of_it() -> None:
    generator = build_generator(GENERATOR, 256, 4, 0)
    one = saved_bytes(generator, torch.empty(1, 1, 64, 32), torch.empty(1, 256))
    four, five = (estimate_needs(workload(num_painted=num)).joint for num in (4, 5))
    assert five - four == pytest.approx(16 * one, rel=0.1)
