"""Checkpoints: there and back through a safe file; what does not fit is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from genreid.errors import GenreidError
from genreid.models.checkpoint import (
    encoder_checkpoint,
    generator_checkpoint,
    joint_checkpoint,
    load_encoder,
    load_generator,
    matches_of,
    preprocessing_of,
)
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.preprocessing import Preprocessing
from tests.genreid.models.small import DISCRIMINATOR, ENCODER, GENERATOR, encoder_settings

PREPARED = Preprocessing(64, 32)


@pytest.fixture
def networks() -> tuple[IdentityEncoder, Generator, Discriminator]:
    encoder = build_encoder(ENCODER, 1)
    encoder(torch.randn(4, 3, 64, 32))  # running statistics of its own
    generator = build_generator(GENERATOR, encoder.appearance_dim, 4, 2)
    return encoder, generator, build_discriminator(DISCRIMINATOR, 3)


def _through_a_file(checkpoint: dict[str, Any], path: Path) -> Any:
    torch.save(checkpoint, path)
    return torch.load(path, weights_only=True)


def _equal(first: nn.Module, second: nn.Module) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_an_encoder_comes_back(networks: Any, tmp_path: Path) -> None:
    encoder = networks[0].eval()
    again = load_encoder(_through_a_file(encoder_checkpoint(encoder, PREPARED), tmp_path / "encoder.pt"))
    image = torch.randn(2, 3, 64, 32)
    assert torch.equal(again(image).embedding, encoder(image).embedding)
    assert again.settings == encoder.settings
    assert not again.training


def test_a_generator_comes_back_with_its_discriminator(networks: Any, tmp_path: Path) -> None:
    _, generator, discriminator = networks
    checkpoint = _through_a_file(
        generator_checkpoint(generator, discriminator, PREPARED), tmp_path / "generator.pt"
    )
    again, judge = load_generator(checkpoint)
    assert _equal(again, generator) and _equal(judge, discriminator)
    mesh, appearance = torch.randn(2, 1, 64, 32), torch.randn(2, generator.appearance_dim)
    assert torch.equal(again(mesh, appearance), generator(mesh, appearance))


def test_a_joint_checkpoint_gives_all_three_and_each_alone(networks: Any, tmp_path: Path) -> None:
    encoder, generator, discriminator = networks
    whole = joint_checkpoint(encoder, generator, discriminator, PREPARED, matches={"image": {"rate": [0.5]}})
    checkpoint = _through_a_file(whole, tmp_path / "joint.pt")
    assert matches_of(checkpoint) == matches_of(checkpoint["encoder"]) == {"image": {"rate": [0.5]}}
    loaded = load_encoder(checkpoint), *load_generator(checkpoint)
    assert all(_equal(a, b) for a, b in zip(loaded, networks, strict=True))


def test_a_checkpoint_does_not_follow_further_training(networks: Any) -> None:
    encoder = networks[0]
    checkpoint = encoder_checkpoint(encoder, PREPARED)
    before = load_encoder(checkpoint).neck.weight.clone()
    nn.init.constant_(encoder.neck.weight, 7.0)
    assert torch.equal(load_encoder(checkpoint).neck.weight, before)


def test_loading_never_fetches_pretrained_weights(tmp_path: Path) -> None:
    encoder = IdentityEncoder(encoder_settings(pretrained=str(tmp_path / "gone.pt")))
    assert _equal(load_encoder(encoder_checkpoint(encoder, PREPARED)), encoder)


def test_every_kind_says_how_its_pictures_are_prepared(networks: Any, tmp_path: Path) -> None:
    encoder, generator, discriminator = networks
    kinds = (
        encoder_checkpoint(encoder, PREPARED),
        generator_checkpoint(generator, discriminator, PREPARED),
        joint_checkpoint(encoder, generator, discriminator, PREPARED),
    )
    for checkpoint in kinds:
        told = preprocessing_of(_through_a_file(checkpoint, tmp_path / "a.pt"))
        assert told == PREPARED and told.size_px == (64, 32)
        assert told.mean == (0.485, 0.456, 0.406) and told.std == (0.229, 0.224, 0.225)


@pytest.mark.parametrize(("name", "value"), [("mean", [0.5, 0.5, 0.5]), ("resize", "nearest")])
def test_pictures_that_were_prepared_otherwise_are_refused(networks: Any, name: str, value: object) -> None:
    checkpoint = encoder_checkpoint(networks[0], PREPARED)
    checkpoint["preprocessing"][name] = value
    with pytest.raises(
        GenreidError, match=f"^x.pt: its pictures were prepared with {name} .*; train it again"
    ):
        preprocessing_of(checkpoint, "x.pt")
    with pytest.raises(GenreidError, match=r"^x.pt: has no 'preprocessing', it is damaged; train it again$"):
        preprocessing_of({k: v for k, v in checkpoint.items() if k != "preprocessing"}, "x.pt")


def test_an_encoder_of_which_no_match_was_counted_says_nothing(networks: Any) -> None:
    checkpoint = encoder_checkpoint(networks[0], PREPARED)
    assert matches_of(checkpoint) is None
    with pytest.raises(GenreidError, match=r"^x.pt: its matches are no table, .*; train it again$"):
        matches_of(checkpoint | {"matches": [1]}, "x.pt")


def test_the_wrong_kind_is_refused(networks: Any) -> None:
    encoder, generator, discriminator = networks
    with pytest.raises(
        GenreidError, match=r"models/a.pt: expected .*'genreid.encoder', found 'genreid.generator'"
    ):
        load_encoder(generator_checkpoint(generator, discriminator, PREPARED), "models/a.pt")
    with pytest.raises(GenreidError, match=r"'genreid.generator', found 'genreid.encoder'"):
        load_generator(encoder_checkpoint(encoder, PREPARED))
    with pytest.raises(GenreidError, match="found 'list'"):
        load_encoder([1])  # type: ignore[arg-type]
    with pytest.raises(GenreidError, match="found None"):
        load_generator({"weights": 1})
    with pytest.raises(GenreidError, match=r"another program's; .*pretrain_encoder\.import_from"):
        load_encoder({"state_dict": {}})


def test_another_version_or_other_settings_are_refused(networks: Any) -> None:
    checkpoint = encoder_checkpoint(networks[0], PREPARED)
    with pytest.raises(GenreidError, match=r"version 99 of genreid.encoder, this program reads version 2"):
        load_encoder({**checkpoint, "version": 99})
    with pytest.raises(GenreidError, match="EncoderSettings differs in colour"):
        load_encoder({**checkpoint, "settings": {**checkpoint["settings"], "colour": "red"}})


def test_weights_of_other_settings_are_refused(networks: Any) -> None:
    checkpoint = encoder_checkpoint(networks[0], PREPARED)
    settings = {**checkpoint["settings"], "base_width": 16}
    with pytest.raises(GenreidError, match="weights and settings disagree") as caught:
        load_encoder({**checkpoint, "settings": settings}, "models/encoder.pt")
    told = "backbone.bn1.bias is (16,) by its settings and (8,) in its weights"
    assert str(caught.value) == (f"models/encoder.pt: weights and settings disagree ({told}); train it again")


def test_settings_that_would_fill_the_memory_are_refused_before_they_do(networks: Any) -> None:
    """A network of 38 GB and more, by the settings of a small file."""
    checkpoint = encoder_checkpoint(networks[0], PREPARED)
    settings = {**checkpoint["settings"], "base_width": 8192}
    with pytest.raises(GenreidError, match=r"is \(8192,\) by its settings"):
        load_encoder({**checkpoint, "settings": settings}, "models/encoder.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(networks: Any, value: float) -> None:
    checkpoint = encoder_checkpoint(networks[0], PREPARED)
    checkpoint["weights"]["neck.running_var"][3] = value
    with pytest.raises(
        GenreidError, match=r"^x\.pt: neck\.running_var holds numbers that are not finite; train it again$"
    ):
        load_encoder(checkpoint, "x.pt")


def test_every_part_is_asked_for_by_name(networks: Any) -> None:
    """Each part left out in turn, of both kinds of checkpoint."""
    encoder, generator, discriminator = networks
    whole = [
        (load_encoder, encoder_checkpoint(encoder, PREPARED)),
        (load_generator, generator_checkpoint(generator, discriminator, PREPARED)),
    ]
    for load, checkpoint in whole:
        for name in checkpoint.keys() - {"format", "version", "preprocessing", "matches"}:
            partial = {key: value for key, value in checkpoint.items() if key != name}
            with pytest.raises(GenreidError, match=f"x.pt: has no '{name}', it is damaged; train it again"):
                load(partial, "x.pt")
