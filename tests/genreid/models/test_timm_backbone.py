"""Networks of timm by name: families that give a map, refusals of those that do not, weights of a file."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from genreid.errors import GenreidError
from genreid.models.initialisation import build_encoder
from genreid.models.timm_backbone import TimmBackbone
from tests.genreid.models.small import STANDARD_ENCODER


@pytest.mark.parametrize(
    ("name", "last_stride", "channels", "rows"),
    [
        ("test_convnext", 1, 64, 16),
        ("test_resnet", 2, 96, 8),
        ("test_vit", 1, 64, 16),
        ("test_efficientnet", 1, 64, 16),
        pytest.param("convnext_atto", 1, 320, 16, marks=pytest.mark.slow),
        pytest.param("resnet10t", 1, 512, 16, marks=pytest.mark.slow),
        pytest.param("vit_tiny_patch16_224", 1, 192, 16, marks=pytest.mark.slow),
        pytest.param("swin_tiny_patch4_window7_224", 2, 768, 8, marks=pytest.mark.slow),
    ],
)
def test_families_that_give_a_map(name: str, last_stride: int, channels: int, rows: int) -> None:
    settings = replace(STANDARD_ENCODER, backbone=name, last_stride=last_stride)
    encoder = build_encoder(settings, seed=0)
    assert encoder.training and all(module.training for module in encoder.modules())
    with torch.no_grad():
        encoding = encoder.eval()(torch.randn(1, 3, 256, 128))
    assert encoding.feature_map.shape == (1, channels, rows, rows // 2)
    assert encoding.appearance.shape == (1, 4 * channels)
    assert encoding.embedding.shape == (1, channels)


@pytest.mark.parametrize(
    ("name", "last_stride", "message"),
    [
        ("resnet19", 1, r"'resnet19' is neither one of torchvision.s ResNets nor of timm"),
        ("mixer_s32_224", 2, r"'mixer_s32_224' takes no 256×128 images"),
        ("swin_s3_tiny_224", 1, r"gives a map of 1/32 of the image, and encoder.last_stride 1 asks for 1/16"),
    ],
)
def test_those_that_give_none_are_refused(name: str, last_stride: int, message: str) -> None:
    with pytest.raises(GenreidError, match=message) as caught:
        TimmBackbone(name, last_stride)
    assert "\n" not in str(caught.value)


def test_weights_of_a_file(tmp_path: Path) -> None:
    theirs = timm.create_model("test_convnext")
    torch.save(theirs.state_dict(), tmp_path / "weights.pt")
    settings = replace(STANDARD_ENCODER, backbone="test_convnext", pretrained=str(tmp_path / "weights.pt"))
    encoder = build_encoder(settings, seed=0).eval()
    image = torch.randn(1, 3, 64, 32)
    plain = timm.create_model("test_convnext", features_only=True, output_stride=16).eval()
    with torch.no_grad():
        assert not torch.allclose(plain(image)[-1], encoder.backbone(image))
        network = timm.create_model("test_convnext", num_classes=0, output_stride=16).eval()
        network.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("head.fc")})
        mean, std = torch.tensor(IMAGENET_DEFAULT_MEAN), torch.tensor(IMAGENET_DEFAULT_STD)
        pixels = image * std.view(3, 1, 1) + mean.view(3, 1, 1)
        stages = network.stages(network.stem((pixels - 0.5) / 0.5))  # the pair of timm's own weights of it
        torch.testing.assert_close(encoder.backbone(image), stages)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "weights.pt")
    settings = replace(STANDARD_ENCODER, backbone="test_convnext", pretrained=str(tmp_path / "weights.pt"))
    with pytest.raises(GenreidError, match="the file is of another network") as caught:
        build_encoder(settings, seed=0)
    assert "\n" not in str(caught.value)


def test_without_a_network_the_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError("We couldn't connect to the hub" + 200 * "!" + "\nto load the files")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", fail)
    settings = replace(STANDARD_ENCODER, backbone="test_convnext", pretrained="imagenet")
    with pytest.raises(
        GenreidError, match=r"weights of test_convnext cannot be fetched \(We couldn't conn"
    ) as c:
        build_encoder(settings, seed=0)
    assert "\n" not in str(c.value)
    (told,) = re.findall(r"\((.*)\)", str(c.value))
    assert len(told) == 160, "the rest of a long line is left out"
