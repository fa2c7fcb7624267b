"""First weights: seeded, of the right spread, or pretrained; files that don't fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from genreid.errors import GenreidError
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.models.settings import GeneratorSettings
from tests.genreid.models.small import DISCRIMINATOR, ENCODER, GENERATOR, STANDARD_ENCODER


def _equal(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def _network(kind: str, seed: int) -> nn.Module:
    if kind == "encoder":
        return build_encoder(ENCODER, seed)
    if kind == "generator":
        return build_generator(GENERATOR, 16, 4, seed)
    return build_discriminator(DISCRIMINATOR, seed)


@pytest.mark.parametrize("kind", ["encoder", "generator", "discriminator"])
def test_weights_depend_on_the_seed_alone(kind: str) -> None:
    torch.manual_seed(1)
    first = _network(kind, 3)
    torch.manual_seed(2)
    assert _equal(first, _network(kind, 3))
    assert not _equal(first, _network(kind, 4))


@pytest.mark.parametrize("kind", ["encoder", "generator", "discriminator"])
def test_the_global_generator_is_left_alone(kind: str) -> None:
    torch.manual_seed(1)
    expected = torch.randn(3)
    torch.manual_seed(1)
    _network(kind, 3)
    assert torch.equal(torch.randn(3), expected)


def test_discriminator_weights_have_a_deviation_of_a_fiftieth() -> None:
    discriminator = build_discriminator(replace(DISCRIMINATOR, width=32), seed=0)
    weights = torch.cat([m.weight.flatten() for m in discriminator.modules() if isinstance(m, nn.Conv2d)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert abs(weights.mean().item()) < 1e-3


def test_generator_weights_are_kaiming_normal() -> None:
    """Deviation √(2 / ((1 + 0.2²)·fan_in)): He et al. 2015, equation 15."""
    generator = build_generator(GeneratorSettings("codes", 16, 1, 64, 128), 1024, 4, seed=0)
    conv = generator.decoder.blocks[0].first
    assert isinstance(conv, nn.Conv2d)
    assert conv.weight.std().item() == pytest.approx((2 / (1.04 * 64 * 9)) ** 0.5, rel=0.02)
    mlp = generator.decoder.scales[0][0]  # type: ignore[index]
    assert mlp.weight.std().item() == pytest.approx((2 / (1.04 * 256)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("prefix", ["", "module.", "backbone."])
def test_a_local_file_of_torchvision_weights(tmp_path: Path, prefix: str) -> None:
    theirs = resnet18(weights=None)
    state = {prefix + name: value for name, value in theirs.state_dict().items()}
    torch.save({"state_dict": state} if prefix else state, tmp_path / "weights.pt")
    encoder = build_encoder(replace(STANDARD_ENCODER, pretrained=str(tmp_path / "weights.pt")), seed=0)
    assert torch.equal(encoder.backbone.state_dict()["layer3.1.conv2.weight"], theirs.layer3[1].conv2.weight)


def test_weights_are_read_where_the_caller_says_they_are(tmp_path: Path) -> None:
    theirs = resnet18(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "weights.pt")
    settings = replace(STANDARD_ENCODER, pretrained="~/of_the_user.pt")
    encoder = build_encoder(settings, seed=0, weights=tmp_path / "weights.pt")
    assert torch.equal(encoder.backbone.state_dict()["conv1.weight"], theirs.conv1.weight)
    kept = encoder.settings.pretrained
    assert kept == "~/of_the_user.pt", "what a checkpoint keeps names no machine's folders"


def test_imagenet_weights_come_through_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = resnet18(weights=None)
    asked = []

    def load(url: str, **_options: object) -> dict[str, torch.Tensor]:
        asked.append(url)
        return theirs.state_dict()

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", load)
    encoder = build_encoder(replace(STANDARD_ENCODER, pretrained="imagenet"), seed=0)
    assert "resnet18" in asked[0]
    assert torch.equal(encoder.backbone.state_dict()["conv1.weight"], theirs.conv1.weight)


def test_without_a_network_the_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str, **_options: object) -> None:
        raise OSError("name resolution failed")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(GenreidError, match=r"resnet18 cannot be fetched .*name resolution failed") as caught:
        build_encoder(replace(STANDARD_ENCODER, pretrained="imagenet"), seed=0)
    assert "\n" not in str(caught.value)


def _refused(tmp_path: Path, content: object) -> str:
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(GenreidError) as caught:
        build_encoder(replace(STANDARD_ENCODER, pretrained=str(tmp_path / "weights.pt")), seed=0)
    return str(caught.value)


def test_files_of_another_network_are_refused(tmp_path: Path) -> None:
    state = resnet18(weights=None).state_dict()
    missing = {name: value for name, value in state.items() if name != "layer2.0.conv1.weight"}
    assert "layer2.0.conv1.weight is missing" in _refused(tmp_path, missing)
    assert "conv1.weight has shape (8, 3, 7, 7), expected (64, 3, 7, 7)" in _refused(
        tmp_path, {**state, "conv1.weight": torch.zeros(8, 3, 7, 7)}
    )
    assert "layer9.weight has no place" in _refused(tmp_path, {**state, "layer9.weight": torch.zeros(1)})
    assert "hold no table of tensors" in _refused(tmp_path, [1, 2])


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GenreidError, match="no such file"):
        build_encoder(replace(ENCODER, pretrained=str(tmp_path / "nowhere.pt")), seed=0)
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(GenreidError, match=r"text.pt cannot be read"):
        build_encoder(replace(ENCODER, pretrained=str(tmp_path / "text.pt")), seed=0)
