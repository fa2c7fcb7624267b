"""Every layout on random weights in its program's real names, against what that program computes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.errors import GenreidError
from genreid.models.imported.facts import IMAGENET
from genreid.models.imported.layouts import LAYOUTS, Imported, build_imported, read_state, recognise
from tests.genreid.models.imported import programs
from tests.genreid.models.imported.programs import State, batch_norm
from tests.genreid.models.imported.test_resnet import FastReid, Jvtc, Spcl, small_resnet, trained

SMALL: dict[str, Any] = {"height_px": 64, "width_px": 32}
POSITIONS = 8
"""Patches of 16 pixels in such a picture."""


def imported(state: State, layout: str | None = None, **facts: Any) -> Imported:
    """The encoder, by the layout that is recognised, or another one."""
    layout = layout or recognise(state, "theirs.pth", "take another")
    kind = LAYOUTS[layout]
    values = {**kind.defaults, **facts}
    plain: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in values.items()
    }
    return build_imported(state, layout, kind.facts(**plain), "theirs.pth", "take another")


def osnet(**kind: Any) -> tuple[State, Callable[[Tensor], Tensor]]:
    state = programs.osnet(**kind)
    return state, lambda image: programs.osnet_features(state, image)


def transreid(after: bool = False, **kind: Any) -> tuple[State, Callable[[Tensor], Tensor]]:
    state = programs.transreid(POSITIONS, **kind)

    def features(image: Tensor) -> Tensor:
        tokens = programs.transreid_tokens(state, image)
        if after:
            kinds = ["", "_1", "_2", "_3"] if kind.get("labels", True) else ["", "_pt1", "_pt2", "_pt3"]
            tokens = [batch_norm(state, f"bottleneck{one}", x) for one, x in zip(kinds, tokens, strict=False)]
            if "bottleneck_pt1.weight" in state:
                tokens = [x / x.norm(dim=1, keepdim=True) for x in tokens]
        if len(tokens) == 1:
            return tokens[0]
        return torch.cat([tokens[0], tokens[1] / 3 + tokens[2] / 3 + tokens[3] / 3], 1)

    return state, features


def clip_reid(after: bool = False) -> tuple[State, Callable[[Tensor], Tensor]]:
    state = programs.clip_reid(POSITIONS)

    def features(image: Tensor) -> Tensor:
        found = programs.clip_reid_features(state, image)
        if after:
            found = [
                batch_norm(state, name, x)
                for name, x in zip(("bottleneck", "bottleneck_proj"), found, strict=True)
            ]
        return torch.cat(found, 1)

    return state, features


def resnet(network: torch.nn.Module) -> tuple[State, Callable[[Tensor], Tensor]]:
    return trained(network).state_dict(), network


CASES: dict[str, tuple[Callable[[], tuple[State, Callable[[Tensor], Tensor]]], str, dict[str, Any]]] = {
    "osnet": (osnet, "osnet", {}),
    "osnet, ibn": (lambda: osnet(ibn=True), "osnet", {}),
    "osnet_ain": (lambda: osnet(ain=True), "osnet_ain", {}),
    "transreid": (transreid, "transreid", {}),
    "transreid, after the neck": (lambda: transreid(True), "transreid", {"feature": "after"}),
    "transreid, stem": (lambda: transreid(stem=True), "transreid", {}),
    "transreid without labels": (lambda: transreid(True, labels=False), "transreid", {"feature": "after"}),
    "transreid, pretrained": (lambda: transreid(labels=False, necks=False), "transreid", {}),
    "pass": (lambda: transreid(parts=True), "pass", {}),
    "pass, after the necks": (lambda: transreid(True, parts=True), "pass", {"feature": "after"}),
    "pass without labels": (
        lambda: transreid(True, parts=True, labels=False),
        "pass",
        {"feature": "after"},
    ),
    "clip_reid": (clip_reid, "clip_reid", {}),
    "clip_reid, after the necks": (lambda: clip_reid(True), "clip_reid", {"feature": "after"}),
    "jvtc": (lambda: resnet(Jvtc(small_resnet())), "jvtc", {}),
    "spcl": (lambda: resnet(Spcl(small_resnet(), relu=True, gem=True, width=16)), "spcl", {}),
    "gcl": (lambda: resnet(Spcl(small_resnet(), relu=False, gem=False)), "spcl", {}),
    "fast_reid": (lambda: resnet(FastReid(small_resnet(), gem=True, width=16)), "fast_reid", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_an_encoder_computes_what_its_program_does(case: str) -> None:
    make, layout, facts = CASES[case]
    state, theirs = make()
    assert recognise(state, "theirs.pth", "") == layout
    found = imported(state, **facts, **SMALL)
    assert found.prepared.size_px == (64, 32) and not found.encoder.training
    pixels = torch.rand(3, 3, 64, 32)
    with torch.no_grad():
        ours = found.encoder(normalised(pixels, *IMAGENET)).embedding
        expected = F.normalize(theirs(normalised(pixels, found.built.mean, found.built.std)))
    assert ours.shape == (3, found.encoder.embedding_dim)
    torch.testing.assert_close(ours, expected, atol=3e-6, rtol=1e-4)
    known = ("classifier", "base.fc", "bottleneck", "prompt_learner", "text_encoder", "heads.weight")
    assert all(name.startswith(known) for name in found.built.left_out)


def normalised(pixels: Tensor, mean: Any, std: Any) -> Tensor:
    mean, std = (torch.as_tensor(values).view(3, 1, 1) for values in (mean, std))
    return (pixels - mean) / std


def test_every_layout_but_timms_has_a_case() -> None:
    assert {layout for _, layout, _ in CASES.values()} == LAYOUTS.keys() - {"timm"}


@pytest.mark.parametrize(
    ("name", "img_size"), [("test_resnet", None), ("test_convnext", None), ("test_vit", (64, 32))]
)
def test_a_checkpoint_of_timm_embeds_what_timm_pools(name: str, img_size: tuple[int, int] | None) -> None:
    sized: dict[str, Any] = {} if img_size is None else {"img_size": img_size}
    theirs = timm.create_model(name, **sized)
    found = imported(dict(trained(theirs).state_dict()), "timm", architecture=name, **SMALL)
    pixels = torch.rand(2, 3, 64, 32)
    config = timm.get_pretrained_cfg(name)
    with torch.no_grad():
        ours = found.encoder(normalised(pixels, *IMAGENET)).embedding
        pooled = theirs.forward_head(
            theirs.forward_features(normalised(pixels, config.mean, config.std)), pre_logits=True
        )
    torch.testing.assert_close(ours, F.normalize(pooled), atol=3e-6, rtol=1e-4)


def test_size_and_statistics_are_timms_own_where_nobody_says_more() -> None:
    state = dict(timm.create_model("test_convnext").state_dict())
    config = timm.get_pretrained_cfg("test_convnext")
    found = imported(state, "timm", architecture="test_convnext")
    assert found.prepared.size_px == config.input_size[1:]
    assert (found.built.mean, found.built.std) == (config.mean, config.std)
    found = imported(state, "timm", architecture="test_convnext", mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))
    assert found.built.mean == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"architecture": "resnet19"}, "timm has no network 'resnet19'"),
        ({"architecture": "test_vit"}, "the file is of another network"),
        ({"architecture": "test_efficientnet"}, "are in the file"),
    ],
)
def test_another_network_of_timm_is_refused(facts: dict[str, str], message: str) -> None:
    assert message in refusal(dict(timm.create_model("test_convnext").state_dict()), "timm", **facts)


def refusal(state: State, layout: str | None = None, **facts: Any) -> str:
    with pytest.raises(GenreidError) as caught:
        imported(state, layout, **facts)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_whole_or_not_of_the_layout_is_refused() -> None:
    state = programs.osnet()
    some = {name: one for name, one in state.items() if "conv3.1.gate" not in name}
    assert "without stages.1.blocks.1.gate.layers.0.weight" in refusal(some)
    assert "conv9.weight have no place in OSNet" in refusal({**state, "conv9.weight": torch.ones(1)})
    gone = {name: one for name, one in state.items() if not name.startswith("conv4.")}
    assert "not all blocks of stage 3" in refusal(gone)
    assert "holds numbers that are not finite" in refusal(
        {**state, "fc.0.bias": torch.full((24,), torch.nan)}
    )
    state = programs.transreid(POSITIONS)
    message = refusal({**state, "b1.0.norm1.weight": torch.ones(programs.WIDTH)}, **SMALL)
    assert "b1.0.norm1.weight have no place in a vision transformer" in message
    assert "without cls_token" in refusal(
        {n: one for n, one in state.items() if n != "base.cls_token"}, **SMALL
    )
    fused = {**programs.transreid(POSITIONS, parts=True), "classifier.weight": torch.ones(7, programs.WIDTH)}
    assert "fusion of its tokens by their mean is not taken" in refusal(fused, **SMALL)
    unknown = refusal({"a": torch.ones(1)})
    assert "its names (a) are of no known layout (osnet, osnet_ain, clip_reid, pass" in unknown


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (programs.transreid(POSITIONS), "base.patch_embed.proj.weight"),
        (programs.transreid(POSITIONS, parts=True), "base.cls_pos"),
        (programs.clip_reid(POSITIONS), "image_encoder.positional_embedding"),
        (programs.osnet(), "conv1.conv.weight"),
    ],
)
def test_tensors_of_any_shape_are_one_line(state: State, name: str) -> None:
    facts: dict[str, Any] = {} if "conv5.bn.weight" in state else SMALL
    for shape in ((), (3,), (0, 1), (2, 2, 2, 2, 2)):
        assert "theirs.pth (layout" in refusal({**state, name: torch.ones(shape)}, **facts)


def test_a_tensor_that_names_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    huge = torch.ones(1).expand(100_000, 100_000)
    torch.save({**programs.osnet(), "classifier.weight": huge}, tmp_path / "theirs.pth")
    assert (tmp_path / "theirs.pth").stat().st_size < 10**7
    with pytest.raises(GenreidError, match=r"classifier.weight is larger than what the file holds of it"):
        read_state(tmp_path / "theirs.pth", "")


def test_a_neck_that_is_not_there_cannot_be_asked_for() -> None:
    state = programs.transreid(POSITIONS, labels=False, necks=False)
    assert "there is no neck in it; set feature: before" in refusal(state, feature="after", **SMALL)


@pytest.mark.parametrize(
    ("state", "name"),
    [(programs.transreid(POSITIONS), "base.sie_embed"), (programs.clip_reid(POSITIONS), "cv_embed")],
)
def test_embeddings_of_the_cameras_of_another_data_set(state: State, name: str) -> None:
    with_cameras = {**state, name: torch.ones(6, 1, programs.WIDTH)}
    assert f"{name} is of the cameras that it was trained on" in refusal(with_cameras, **SMALL)
    found = imported(with_cameras, leave_out_cameras=True, **SMALL)
    image = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        assert torch.equal(found.encoder(image).embedding, imported(state, **SMALL).encoder(image).embedding)
    assert name in found.built.left_out


def test_pictures_of_another_size_have_the_positions_resized() -> None:
    """Where every patch has the same position, nothing depends on the size: positions are the only change."""
    state = programs.transreid(128, labels=False, necks=False)
    state["pos_embed"][:, 1:] = state["pos_embed"][:, 1:2]
    own = imported(state)
    assert own.prepared.size_px == (256, 128)
    other = imported(state, height_px=64, width_px=48, stride_px=12)
    assert other.prepared.size_px == (64, 48) and other.encoder.network.vit.pos_embed.shape[1] == 1 + 5 * 3
    image = torch.randn(1, 3, 64, 48)
    expected = {**state, "pos_embed": state["pos_embed"][:, : 1 + 15]}
    with torch.no_grad():
        theirs = programs.transreid_tokens(expected, normalised(image, *negated()), stride=12)[0]
        torch.testing.assert_close(other.encoder(image).embedding, F.normalize(theirs), atol=3e-6, rtol=1e-4)


def test_overlapping_patches_are_told_by_the_number_of_positions() -> None:
    state = programs.transreid(21 * 10, labels=False, necks=False)
    found, image = imported(state), torch.randn(1, 3, 256, 128)
    assert found.prepared.size_px == (256, 128)
    with torch.no_grad():
        theirs = programs.transreid_tokens(state, normalised(image, *negated()), stride=12)[0]
        torch.testing.assert_close(found.encoder(image).embedding, F.normalize(theirs), atol=3e-6, rtol=1e-4)


def negated() -> tuple[Tensor, Tensor]:
    """The mean and deviation that make of ImageNet-normalised pixels those less 0.5, divided by 0.5."""
    mean, std = (torch.tensor(values) for values in IMAGENET)
    return (0.5 - mean) / std, 0.5 / std


def test_heads_that_do_not_share_the_channels_are_refused() -> None:
    state = programs.transreid(POSITIONS)
    assert "128 channels cannot be shared by 3 heads" in refusal(state, num_heads=3, **SMALL)
    image = torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        default, four = (
            imported(state, num_heads=num, **SMALL).encoder(image).embedding for num in (None, 4)
        )
    assert not torch.allclose(default, four), "their number is in no shape, and changes what is computed"


def test_half_precision_becomes_single() -> None:
    halves = {
        name: one.half() if one.is_floating_point() else one for name, one in programs.clip_reid(8).items()
    }
    found = imported(halves, **SMALL)
    assert found.encoder(torch.randn(1, 3, 64, 32)).embedding.dtype == torch.float32


@pytest.mark.parametrize("table", ["state_dict", "model"])
def test_wrappers_and_what_is_kept_beside_the_weights(table: str, tmp_path: Path) -> None:
    state = programs.osnet()
    wrapped = {f"module.{name}": one for name, one in state.items()}
    torch.save({table: wrapped, "epoch": 3, "args": Namespace(lr=0.1)}, tmp_path / "theirs.pth.tar-3")
    read = read_state(tmp_path / "theirs.pth.tar-3", "")
    assert read.keys() == state.keys() and recognise(read, "", "") == "osnet"


def test_the_teacher_of_dino_is_read_without_its_head(tmp_path: Path) -> None:
    state = programs.transreid(POSITIONS, labels=False, necks=False)
    teacher = {f"backbone.{name}": one for name, one in state.items()} | {
        "head.mlp.0.weight": torch.ones(2, 2)
    }
    torch.save(
        {"student": {"module.a": torch.ones(1)}, "teacher": teacher, "epoch": 99}, tmp_path / "checkpoint.pth"
    )
    read = read_state(tmp_path / "checkpoint.pth", "")
    assert read.keys() == state.keys() and recognise(read, "", "") == "transreid"
