"""Encoders of other programs: stand-ins with their names and their forward pass, assembled from torchvision.

Each stand-in is a class of its own with the modules of the program in question, so that the names of its
weights are theirs and what it computes does not come from the code under test.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from genreid.errors import GenreidError
from genreid.models.imported.resnet import import_encoder
from genreid.models.settings import EncoderSettings, ImportSettings
from tests.genreid.models.small import ENCODER

SETTINGS = replace(ENCODER, stem="imagenet")


def small_resnet(block: Any = BasicBlock, blocks: tuple[int, ...] = (2, 2, 2, 2), width: int = 8) -> ResNet:
    """torchvision's ResNet, its stages `width` to 8·`width` wide, with last stride 1."""
    network = ResNet(block, list(blocks))
    network.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    network.bn1 = nn.BatchNorm2d(width)
    network.inplanes = width
    for stage, (count, stride) in enumerate(zip(blocks, (1, 2, 2, 1), strict=True)):
        setattr(network, f"layer{stage + 1}", network._make_layer(block, width << stage, count, stride))
    return network


class GeM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor([2.5]))

    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x.clamp(min=1e-6) ** self.p, 1) ** (1 / self.p)


class Jvtc(nn.Module):
    def __init__(self, resnet: ResNet, channels: int = 64) -> None:
        super().__init__()
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            setattr(self, name, getattr(resnet, name))
        self.feat, self.feat_bn = nn.Linear(channels, 24), nn.BatchNorm1d(24)
        self.classifier = nn.Linear(24, 7)

    def forward(self, x: Tensor) -> Tensor:
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            x = getattr(self, name)(x)
        return F.normalize(self.feat_bn(self.feat(F.avg_pool2d(x, x.shape[2:]).flatten(1))))


class Spcl(nn.Module):
    def __init__(self, resnet: ResNet, *, relu: bool, gem: bool, width: int = 0) -> None:
        super().__init__()
        parts = [resnet.conv1, resnet.bn1, *([resnet.relu] if relu else []), resnet.maxpool]
        self.base = nn.Sequential(*parts, resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4)
        self.gap = GeM() if gem else nn.AdaptiveAvgPool2d(1)
        if width:
            self.feat: nn.Module = nn.Linear(64, width)
        self.feat_bn = nn.BatchNorm1d(width or 64)
        self.reduced = bool(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.gap(self.base(x)).flatten(1)
        return F.normalize(self.feat_bn(self.feat(x) if self.reduced else x))


class FastReid(nn.Module):
    def __init__(self, resnet: ResNet, *, gem: bool, width: int = 0) -> None:
        super().__init__()
        self.backbone = nn.Module()
        for name in ("conv1", "bn1", "relu", "layer1", "layer2", "layer3", "layer4"):
            setattr(self.backbone, name, getattr(resnet, name))
        self.heads = nn.Module()
        self.heads.pool_layer = GeM() if gem else nn.AdaptiveAvgPool2d(1)
        neck = [nn.Conv2d(64, width, 1, bias=False)] if width else []
        self.heads.bottleneck = nn.Sequential(*neck, nn.BatchNorm2d(width or 64))
        self.heads.weight = nn.Parameter(torch.zeros(7, width or 64))

    def forward(self, x: Tensor) -> Tensor:
        body: Any = self.backbone
        x = F.max_pool2d(body.relu(body.bn1(body.conv1(x))), 3, stride=2, ceil_mode=True)
        x = body.layer4(body.layer3(body.layer2(body.layer1(x))))
        heads: Any = self.heads
        return F.normalize(heads.bottleneck(heads.pool_layer(x)).flatten(1))


def trained(network: nn.Module) -> nn.Module:
    """Every weight and every running statistic off its first value."""
    rng = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not name.endswith(".p"):
            noise = torch.rand(tensor.shape, generator=rng)
            tensor.copy_(noise + 0.5 if name.endswith("running_var") else tensor + 0.1 * (noise - 0.5))
    return network.eval()


CASES: dict[str, tuple[Callable[[], nn.Module], str, EncoderSettings]] = {
    "jvtc": (lambda: Jvtc(small_resnet()), "jvtc", replace(SETTINGS, embedding_dim=24)),
    "spcl": (lambda: Spcl(small_resnet(), relu=True, gem=False), "spcl", SETTINGS),
    "cluster contrast, gem": (
        lambda: Spcl(small_resnet(), relu=True, gem=True, width=16),
        "spcl",
        replace(SETTINGS, pooling="gem", embedding_dim=16),
    ),
    "gcl and mmt, no relu": (
        lambda: Spcl(small_resnet(), relu=False, gem=False),
        "spcl",
        replace(SETTINGS, stem="imagenet_no_relu"),
    ),
    "fast-reid": (
        lambda: FastReid(small_resnet(), gem=False),
        "fast_reid",
        replace(SETTINGS, stem="imagenet_ceil_pool"),
    ),
    "fast-reid, reduced": (
        lambda: FastReid(small_resnet(), gem=True, width=16),
        "fast_reid",
        replace(SETTINGS, stem="imagenet_ceil_pool", pooling="gem", embedding_dim=16),
    ),
}


def saved(content: object, folder: Path) -> ImportSettings:
    torch.save(content, folder / "theirs.pth")
    return ImportSettings(str(folder / "theirs.pth"), "auto")


@pytest.mark.parametrize("case", CASES)
def test_an_imported_encoder_computes_what_its_program_does(case: str, tmp_path: Path) -> None:
    make, layout, settings = CASES[case]
    theirs = trained(make())
    ours, report = import_encoder(settings, saved(theirs.state_dict(), tmp_path))
    image = torch.randn(3, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(image).embedding, theirs(image), atol=2e-6, rtol=1e-5)
    assert report.layout == layout
    own = {name for name in theirs.state_dict() if not name.endswith("num_batches_tracked")}
    added = 1 if case == "fast-reid, reduced" else 0  # its reduction has no bias
    assert report.num_tensors == len(own - set(report.left_out)) + added
    assert set(report.left_out) <= {"classifier.weight", "classifier.bias", "heads.weight"}


@pytest.mark.slow
def test_a_resnet_50_at_its_real_width(tmp_path: Path) -> None:
    theirs = trained(Jvtc(small_resnet(Bottleneck, (3, 4, 6, 3), 64), 2048))
    settings = EncoderSettings("resnet50", 64, "imagenet", 1, 4, "average", 24, "none")
    ours, report = import_encoder(settings, saved(theirs.state_dict(), tmp_path))
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        encoding = ours(image)
        torch.testing.assert_close(encoding.embedding, theirs(image), atol=1e-5, rtol=1e-4)
    assert encoding.appearance.shape == (1, 4 * 2048)
    assert report.num_tensors == 1 + 4 + 16 * 15 + 4 * 5 + 2 + 4 and report.num_weights > 23_500_000


@pytest.mark.parametrize("table", ["state_dict", "model", "net"])
def test_wrappers_and_what_programs_keep_beside_the_weights(table: str, tmp_path: Path) -> None:
    theirs = trained(Spcl(small_resnet(), relu=True, gem=False))
    state = {f"module.{name}": tensor for name, tensor in theirs.state_dict().items()}
    content = {table: state, "epoch": 3, "best_mAP": np.float64(0.8)}
    ours, _ = import_encoder(SETTINGS, saved(content, tmp_path))
    assert torch.equal(ours.neck.weight, theirs.feat_bn.weight)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [0, 16])
def test_counts_of_batches_as_fast_reid_wrote_them(width: int, tmp_path: Path) -> None:
    """Its own batch norms kept the count as a list of one number, not as a number."""
    theirs = trained(FastReid(small_resnet(), gem=False, width=width))
    counts = {
        name: torch.tensor([7])
        for name in theirs.state_dict()
        if name.startswith("backbone") and name.endswith("num_batches_tracked")
    }
    assert len(counts) == 20
    settings = replace(SETTINGS, stem="imagenet_ceil_pool", embedding_dim=width or None)
    ours, _ = import_encoder(settings, saved({"model": {**theirs.state_dict(), **counts}}, tmp_path))
    image = torch.randn(3, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(image).embedding, theirs(image), atol=2e-6, rtol=1e-5)
    assert torch.equal(ours.state_dict()["backbone.bn1.num_batches_tracked"], torch.tensor(7))
    too_many = {**theirs.state_dict(), "backbone.bn1.num_batches_tracked": torch.tensor([7, 7])}
    assert "num_batches_tracked has shape (2,), expected ()" in refusal(too_many, tmp_path, settings)


def test_other_settings_are_told_by_the_values_that_fit(tmp_path: Path) -> None:
    source = saved(Spcl(small_resnet(width=16), relu=False, gem=True, width=0).state_dict(), tmp_path)
    # the stand-in's neck is for 64 channels, the network has 128: that is not what is looked at first
    with pytest.raises(GenreidError) as caught:
        import_encoder(replace(SETTINGS, embedding_dim=512, backbone="resnet50"), source)
    message = str(caught.value)
    assert message.endswith(
        "set pretrain_encoder.encoder to backbone: resnet18, base_width: 16, stem: imagenet_no_relu, "
        "pooling: gem, embedding_dim: null"
    )
    with pytest.raises(GenreidError, match=r"neck.weight has shape \(64,\), expected \(128,\)"):
        import_encoder(replace(SETTINGS, base_width=16, stem="imagenet_no_relu", pooling="gem"), source)


def test_the_last_stride_is_the_programs(tmp_path: Path) -> None:
    """It leaves no trace in the weights, and changes what they compute."""
    for theirs, names in (
        (Spcl(small_resnet(), relu=True, gem=False), replace(SETTINGS, last_stride=2)),
        (Jvtc(small_resnet()), replace(SETTINGS, last_stride=2, embedding_dim=24)),
    ):
        with pytest.raises(GenreidError, match=r"set pretrain_encoder\.encoder to last_stride: 1$"):
            import_encoder(names, saved(theirs.state_dict(), tmp_path))
    settings = replace(SETTINGS, stem="imagenet_ceil_pool", last_stride=2)
    encoder, _ = import_encoder(settings, saved(FastReid(small_resnet(), gem=False).state_dict(), tmp_path))
    assert encoder(torch.zeros(1, 3, 64, 32)).feature_map.shape[2:] == (2, 1)


def refusal(content: object, folder: Path, settings: EncoderSettings = SETTINGS) -> str:
    with pytest.raises(GenreidError) as caught:
        import_encoder(settings, saved(content, folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_too_little_is_an_error(tmp_path: Path) -> None:
    state = Spcl(small_resnet(), relu=True, gem=False).state_dict()
    some = {name: tensor for name, tensor in state.items() if ".1.bn2" not in name}
    assert "too little matched: 87% of the encoder, without backbone.layer1.1.bn2" in refusal(some, tmp_path)
    no_neck = {name: tensor for name, tensor in state.items() if not name.startswith("feat_bn")}
    assert "too little matched: 120 tensors, and no neck.weight" in refusal(no_neck, tmp_path)
    cut = {name: tensor for name, tensor in state.items() if not name.startswith("base.7.1")}
    assert "and no known number of residual blocks" in refusal(cut, tmp_path)
    assert "its names (a) are of no known layout (jvtc, spcl, fast_reid)" in refusal(
        {"a": torch.ones(1)}, tmp_path
    )


def test_parts_that_the_encoder_lacks_are_an_error(tmp_path: Path) -> None:
    state = FastReid(small_resnet(), gem=False).state_dict()
    message = refusal({**state, "backbone.NL_2.0.g.weight": torch.ones(2)}, tmp_path)
    assert "backbone.NL_2.0.g.weight have no place in a ResNet" in message
    message = refusal(
        {**state, "backbone.layer1.0.bn1.IN.weight": torch.ones(2)},
        tmp_path,
        replace(SETTINGS, stem="imagenet_ceil_pool"),
    )
    assert "backbone.layer1.0.bn1.IN.weight have no place in the encoder" in message


class Malicious:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> Any:
        return Path.touch, (self.witness,)


@pytest.mark.parametrize("how", ["torch.save", "pickle"])
def test_a_file_that_would_run_code_is_refused(how: str, tmp_path: Path) -> None:
    path, witness = tmp_path / "theirs.pth", tmp_path / "was here"
    content = {"conv1.weight": Malicious(witness)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)
    with pytest.raises(GenreidError, match=r"theirs.pth cannot be read \(it would run code") as caught:
        import_encoder(SETTINGS, ImportSettings(str(path), "auto"))
    assert "\n" not in str(caught.value)
    assert not witness.exists()
    torch.load(path, weights_only=False) if how == "torch.save" else pickle.loads(path.read_bytes())
    assert witness.exists(), "the file is as dangerous as the test says"
