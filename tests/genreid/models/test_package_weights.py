"""Weights out of packages: each in its place once, pictures as the network knows them, errors in one line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models import weights
from genreid.models.checkpoint import encoder_checkpoint, load_encoder
from genreid.models.initialisation import build_encoder
from genreid.models.package_weights import PACKAGED, rename
from genreid.models.settings import EncoderSettings
from genreid.models.timm_backbone import TimmBackbone
from genreid.preprocessing import Preprocessing
from genreid.zoo.cache import state_of
from genreid.zoo.table import model_file
from tests.genreid.models.small import STANDARD_ENCODER

NAMES = list(PACKAGED)
MEAN, STD = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
PREPARED = Preprocessing(32, 16)
LITE = {
    "conv_stem": "_conv_stem",
    "bn1": "_bn0",
    "conv_head": "_conv_head",
    "bn2": "_bn1",
    "classifier": "_fc",
}


def whole(name: str) -> nn.Module:
    """timm's network with random weights and statistics, a classifier too."""
    torch.manual_seed(0)
    network = timm.create_model(PACKAGED[name].backbone)
    for key, tensor in network.state_dict().items():
        if key.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.ndim == 1:
            tensor.normal_(0.2, 0.3)
    return network.eval()


def as_packaged(name: str, network: nn.Module) -> dict[str, Tensor]:
    """Its state as the package has it. Layers come in the same order: numbers follow from counting."""
    state = network.state_dict()
    if name == "mobilenetv2":
        return {theirs: state[ours] for theirs, ours in zip(_torchvision_names(), state, strict=False)}
    numbers: dict[str, int] = {}
    renamed = {}
    for ours, tensor in state.items():
        layer, _, what = ours.rpartition(".")
        if layer in LITE:
            renamed[f"{LITE[layer]}.{what}"] = tensor
            continue
        block, _, part = layer.rpartition(".")
        number = numbers.setdefault(block, len(numbers))
        kinds = (
            ["depthwise_conv", "project_conv"]
            if number == 0
            else ["expand_conv", "depthwise_conv", "project_conv"]
        )
        convolutions = [key for key in state if key.startswith(f"{block}.conv") and key.endswith(".weight")]
        if part.startswith("conv"):
            theirs = kinds[convolutions.index(ours)]
        else:
            theirs = f"bn{int(part[2:]) - (number > 0)}"
        renamed[f"_blocks.{number}._{theirs}.{what}"] = tensor
    return renamed


def _torchvision_names() -> list[str]:
    """As torchvision first had them: a block is one sequence of convolution, norm, ReLU, and so on."""
    from torchvision.models import mobilenet_v2

    names, layers = [], dict[str, list[str]]()
    for key in mobilenet_v2().state_dict():
        block, found, _ = key.partition(".conv.")
        layer, _, what = key.rpartition(".")
        if found:
            seen = layers.setdefault(block, [])
            seen += [] if layer in seen else [layer]
            key = f"{block}.conv.{[0, 1, 3, 4, 6, 7][seen.index(layer)]}.{what}"
        names += [] if key.startswith("classifier") else [key]
    return names


def settings_of(name: str) -> EncoderSettings:
    return replace(STANDARD_ENCODER, backbone=PACKAGED[name].backbone, pretrained=name, last_stride=2)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, nn.Module]:
    """Networks in the place of the real files, which not every machine has."""
    networks = {name: whole(name) for name in NAMES[:2]}
    monkeypatch.setattr(
        weights, "read_packaged", lambda name, own: rename(name, as_packaged(name, networks[name]), own)
    )
    return networks


@pytest.mark.parametrize("name", NAMES[:2])
@torch.no_grad()
def test_features_are_those_of_timms_own_network_on_pictures_as_it_knows_them(
    name: str, given: dict[str, nn.Module]
) -> None:
    encoder = build_encoder(settings_of(name), seed=0).eval()
    pixels = torch.rand(2, 3, 128, 64)
    mean, std = (0.5, 0.5) if "lite" in name else (MEAN, STD)
    theirs = given[name]
    expected = theirs.blocks(theirs.bn1(theirs.conv_stem((pixels - mean) / std)))  # type: ignore[operator]
    found = encoder((pixels - MEAN) / STD).feature_map
    assert found.shape == (2, 320, 4, 2)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    restored = load_encoder(encoder_checkpoint(encoder, PREPARED))
    # worked out by hand: 0.229 / 0.5 …, (0.485 − 0.5) / 0.5 …
    change = ([0.458, 0.448, 0.45], [-0.03, -0.088, -0.188]) if "lite" in name else ([1.0] * 3, [0.0] * 3)
    for part, numbers in zip(("scale", "shift"), change, strict=True):
        torch.testing.assert_close(restored.backbone.get_buffer(part).flatten(), torch.tensor(numbers))
    assert torch.equal(restored((pixels - MEAN) / STD).feature_map, found)


@pytest.mark.parametrize("name", NAMES[:2])
def test_every_weight_has_its_place_once(name: str) -> None:
    network = whole(name)
    packaged = as_packaged(name, network)
    own = TimmBackbone(PACKAGED[name].backbone, 1).network.state_dict()
    renamed = rename(name, packaged, own)
    assert renamed.keys() == own.keys()
    assert len({tensor.data_ptr() for tensor in renamed.values()}) == len(own)
    assert all(
        renamed[key] is network.state_dict()[key] or torch.equal(renamed[key], network.state_dict()[key])
        for key in own
    )
    key = next(key for key in packaged if packaged[key].ndim == 4)
    with pytest.raises(GenreidError, match="is not in the file"):
        rename(name, {k: v for k, v in packaged.items() if k != key}, own)
    with pytest.raises(GenreidError, match="has no place"):
        rename(name, {**packaged, "extra.weight": torch.zeros(1)}, own)
    with pytest.raises(GenreidError, match="does not fit"):
        rename(name, {**packaged, key: torch.zeros(1)}, own)


def test_a_stride_of_one_gives_a_map_twice_as_fine(given: dict[str, nn.Module]) -> None:
    settings = replace(settings_of("mobilenetv2"), last_stride=1)
    assert build_encoder(settings, seed=0)(torch.zeros(2, 3, 128, 64)).feature_map.shape == (2, 320, 8, 4)


def test_auto_takes_the_package_where_imagenet_cannot_be_had_and_the_checkpoint_says_so(
    given: dict[str, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = timm.create_model

    def create(name: str, pretrained: bool = False, **options: Any) -> nn.Module:
        if pretrained:
            raise OSError("no network")
        return real(name, **options)

    monkeypatch.setattr(timm, "create_model", create)
    encoder = build_encoder(replace(settings_of("mobilenetv2"), pretrained="auto"), seed=0)
    assert encoder_checkpoint(encoder, PREPARED)["settings"]["pretrained"] == "mobilenetv2"
    stem = given["mobilenetv2"].state_dict()["conv_stem.weight"]
    assert torch.equal(encoder.backbone.state_dict()["network.conv_stem.weight"], stem)
    with pytest.raises(GenreidError, match="cannot be fetched"):
        build_encoder(
            replace(settings_of("mobilenetv2"), backbone="test_convnext", pretrained="auto"), seed=0
        )


def test_a_missing_file_and_another_backbone_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREID_MODELS", str(tmp_path))
    with pytest.raises(
        GenreidError, match=rf"{re.escape(str(tmp_path))}; run `genreid models get mobilenetv2`$"
    ):
        build_encoder(settings_of("mobilenetv2"), seed=0)
    with pytest.raises(GenreidError, match=r"set encoder.backbone: mobilenetv2_100$"):
        replace(settings_of("mobilenetv2"), backbone="resnet50")


def test_depthwise_convolutions_stay_in_float32_under_autocast_and_others_do_not() -> None:
    backbone = TimmBackbone("mobilenetv2_100", 2)
    kinds: dict[bool, set[torch.dtype]] = {True: set(), False: set()}

    def note(module: nn.Conv2d, _inputs: object, out: Tensor) -> None:
        kinds[module.groups > 1].add(out.dtype)

    for module in backbone.network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    with torch.autocast("cpu", torch.bfloat16):
        backbone(torch.randn(2, 3, 64, 32)).float().mean().backward()
    assert kinds == {True: {torch.float32}, False: {torch.bfloat16}}
    assert all(parameter.grad is not None for parameter in backbone.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_the_real_file_fits_in_order_as_well(name: str) -> None:
    """Another way to the same: both programs list the weights in the same order."""
    if state_of(model_file(name)) != "present":
        pytest.skip(f"{name} is not here: `{model_file(name).command}`")
    from genreid.zoo.cache import require

    packaged = list(torch.load(require(name), weights_only=True).values())
    network = timm.create_model(PACKAGED[name].backbone)
    keys = list(network.state_dict())[: len(packaged)]
    network.load_state_dict(dict(zip(keys, packaged, strict=True)), strict=False)
    network.eval()
    pixels = torch.rand(1, 3, 128, 64)
    mean, std = (0.5, 0.5) if "lite" in name else (MEAN, STD)
    expected = network.blocks(network.bn1(network.conv_stem((pixels - mean) / std)))
    found = build_encoder(settings_of(name), seed=0).eval()((pixels - MEAN) / STD).feature_map
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
