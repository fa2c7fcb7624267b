"""The discriminator: a patch map a scale, images judged one by one."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from genreid.models.initialisation import build_discriminator
from tests.genreid.models.small import DISCRIMINATOR


def test_a_map_for_each_scale_finest_first() -> None:
    maps = build_discriminator(DISCRIMINATOR, seed=0)(torch.randn(2, 3, 64, 32))
    assert [patches.shape for patches in maps] == [(2, 1, 16, 8), (2, 1, 8, 4), (2, 1, 4, 2)]


def test_coarser_scales_see_the_averaged_image() -> None:
    discriminator = build_discriminator(DISCRIMINATOR, seed=0)
    for parameter in discriminator.parameters():  # the first weights are so small that all maps look alike
        torch.nn.init.normal_(parameter, std=0.3)
    image = torch.randn(1, 3, 64, 32)
    half = torch.empty(1, 3, 32, 16)
    for y in range(32):
        for x in range(16):
            window = image[:, :, max(0, 2 * y - 1) : 2 * y + 2, max(0, 2 * x - 1) : 2 * x + 2]
            half[:, :, y, x] = window.mean(dim=(2, 3))
    # the means are summed in another order, and grow through the layers
    torch.testing.assert_close(discriminator(image)[1], discriminator.scales[1](half), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(discriminator(image)[0], discriminator.scales[0](image))
    assert not torch.allclose(
        discriminator(image)[1], discriminator.scales[1](F.interpolate(image, (32, 16)))
    )


def test_an_image_is_judged_alone() -> None:
    discriminator, images = build_discriminator(DISCRIMINATOR, seed=0), torch.randn(3, 3, 64, 32)
    with torch.no_grad():
        for together, alone in zip(discriminator(images), discriminator(images[2:]), strict=True):
            torch.testing.assert_close(together[2:], alone, atol=1e-7, rtol=1e-4)
