"""The identity encoder: map sizes, stripes and embedding against loops, settings that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import resnet18, resnet50

from genreid.errors import GenreidError
from genreid.models.backbone import ResNetBackbone, Shortcut
from genreid.models.encoder import IdentityEncoder
from genreid.models.initialisation import build_encoder
from genreid.models.settings import EncoderSettings
from tests.genreid.models.small import ENCODER, encoder_settings


@pytest.mark.parametrize(
    ("stem", "last_stride", "size", "expected"),
    [
        ("imagenet", 1, (256, 128), (16, 8)),
        ("imagenet", 2, (256, 128), (8, 4)),
        ("small", 1, (64, 32), (8, 4)),
        ("small", 2, (64, 32), (4, 2)),
    ],
)
def test_final_map_sizes(
    stem: str, last_stride: int, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    encoder = IdentityEncoder(encoder_settings(stem=stem, last_stride=last_stride)).eval()
    with torch.no_grad():
        encoding = encoder(torch.randn(1, 3, *size))
    assert encoding.feature_map.shape == (1, 64, *expected)
    assert encoder.embedding_dim == 64
    assert encoding.appearance.shape == (1, encoder.appearance_dim) == (1, 256)


def test_papers_encoder_has_2048_channels_and_a_16_by_8_map() -> None:
    settings = EncoderSettings("resnet50", 64, "imagenet", 1, 4, "average", None, "none")
    with torch.device("meta"):
        encoder = IdentityEncoder(settings)
        encoding = encoder.eval()(torch.empty(2, 3, 256, 128))
    assert encoding.feature_map.shape == (2, 2048, 16, 8)
    assert encoding.appearance.shape == (2, 4 * 2048)
    assert encoding.embedding.shape == (2, 2048)


@pytest.mark.parametrize(("name", "published"), [("resnet18", resnet18), ("resnet50", resnet50)])
def test_backbone_is_torchvisions_network_without_its_classifier(name: str, published: Any) -> None:
    theirs = published(weights=None).eval()
    ours = ResNetBackbone(name, 64, "imagenet", last_stride=2).eval()
    weights = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    ours.load_state_dict(weights)
    image = torch.randn(2, 3, 64, 64)
    theirs.fc = torch.nn.Identity()
    with torch.no_grad():
        torch.testing.assert_close(ours(image).mean(dim=(2, 3)), theirs(image))


def test_stripes_are_means_of_quarters_of_the_map_top_first() -> None:
    encoder = IdentityEncoder(ENCODER).eval()
    feature_map = torch.randn(3, 64, 8, 4)
    appearance = encoder.encode_map(feature_map).appearance.reshape(3, 4, 64)
    for image in range(3):
        for stripe in range(4):
            for channel in (0, 17, 63):
                rows = feature_map[image, channel, 2 * stripe : 2 * stripe + 2]
                expected = sum(float(value) for value in rows.flatten()) / 8
                assert appearance[image, stripe, channel].item() == pytest.approx(expected, abs=1e-6)


def test_embedding_is_the_normalised_mean_standardised_over_the_batch() -> None:
    encoder = IdentityEncoder(ENCODER).train()
    feature_map = torch.randn(6, 64, 8, 4)
    embedding = encoder.encode_map(feature_map).embedding.detach().numpy()
    pooled = feature_map.numpy().astype(np.float64).mean(axis=(2, 3))
    standardised = (pooled - pooled.mean(0)) / np.sqrt(pooled.var(0) + 1e-5)
    expected = standardised / np.linalg.norm(standardised, axis=1, keepdims=True)
    np.testing.assert_allclose(embedding, expected, atol=1e-5)


def test_necks_shift_stays_at_zero() -> None:
    encoder = IdentityEncoder(ENCODER).train()
    optimiser = torch.optim.SGD((p for p in encoder.parameters() if p.requires_grad), lr=1.0)
    encoder(torch.randn(4, 3, 64, 32)).embedding[:, 0].sum().backward()
    optimiser.step()
    assert encoder.neck.bias.abs().max() == 0
    assert (encoder.neck.weight != 1).any()


def test_going_on_from_a_feature_map_gives_the_same_encoding() -> None:
    encoder = IdentityEncoder(ENCODER).eval()
    with torch.no_grad():
        encoding = encoder(torch.randn(2, 3, 64, 32))
        again = encoder.encode_map(encoding.feature_map)
    assert torch.equal(again.embedding, encoding.embedding)
    assert torch.equal(again.appearance, encoding.appearance)


def test_splitting_keeps_images_together() -> None:
    encoder = IdentityEncoder(ENCODER).eval()
    with torch.no_grad():
        encoding = encoder(torch.randn(6, 3, 64, 32))
    parts = encoding.split(2)
    assert len(parts) == 3
    assert torch.equal(parts[1].feature_map, encoding.feature_map[2:4])
    assert torch.equal(parts[1].appearance, encoding.appearance[2:4])
    assert torch.equal(parts[2].embedding, encoding.embedding[4:])


@pytest.mark.parametrize("embedding_dim", [None, 5])
@pytest.mark.parametrize("pooling", ["average", "gem"])
def test_embeddings_of_another_width_and_pooling_by_hand(pooling: str, embedding_dim: int | None) -> None:
    encoder = build_encoder(encoder_settings(pooling=pooling, embedding_dim=embedding_dim), seed=0).eval()
    feature_map = torch.rand(3, 64, 8, 4)
    with torch.no_grad():
        encoding = encoder.encode_map(feature_map)
    pixels = feature_map.numpy().astype(np.float64)
    exponent = 3.0 if pooling == "gem" else 1.0
    expected = (pixels**exponent).mean(axis=(2, 3)) ** (1 / exponent)
    if encoder.reduction is not None:
        expected = expected @ encoder.reduction.weight.detach().numpy().T.astype(np.float64)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)  # the fresh neck only scales
    np.testing.assert_allclose(encoding.embedding.numpy(), expected, atol=1e-6)
    assert encoding.embedding.shape == (3, encoder.embedding_dim) == (3, embedding_dim or 64)
    assert encoding.appearance.shape == (3, 4 * 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stem": "large"}, "stem is 'large'"),
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"last_stride": 3}, "last_stride is 3"),
        ({"pretrained": "imagenet"}, "do not go with backbone resnet18, pretrained imagenet"),
        ({"backbone": "convnext_tiny"}, "do not go with backbone convnext_tiny"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(GenreidError, match=message):
        encoder_settings(**changes)


@pytest.mark.parametrize("in_channels", [3, 8, 15, 16])
def test_a_shortcut_is_the_strided_convolution(in_channels: int) -> None:
    """Values and gradients, against the product with every second pixel."""
    torch.manual_seed(0)
    shortcut = Shortcut(in_channels, 5, 1, stride=2, bias=False)
    x = torch.randn(2, in_channels, 6, 5, requires_grad=True)
    found = shortcut(x)
    kept = x[:, :, [0, 2, 4]][..., [0, 2, 4]]
    expected = torch.einsum("bchw,dc->bdhw", kept, shortcut.weight[..., 0, 0])
    assert torch.allclose(found, expected, atol=1e-5)
    own = torch.autograd.grad(found.square().sum(), (x, shortcut.weight), retain_graph=True)
    plain = torch.autograd.grad(expected.square().sum(), (x, shortcut.weight))
    for left, right in zip(own, plain, strict=True):
        assert torch.allclose(left, right, atol=1e-4)


def test_a_width_at_which_torch_corrupts_memory_is_refused() -> None:
    with pytest.raises(GenreidError, match="base_width is 4; it must be at least 8"):
        IdentityEncoder(encoder_settings(base_width=4))
