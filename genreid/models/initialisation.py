"""Networks with their first weights: seeded, whatever else the process has drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.backbone import RESNETS, TimmBackbone, imagenet_state
from genreid.models.blocks import LEAKY_SLOPE
from genreid.models.discriminator import Discriminator, DiscriminatorSettings
from genreid.models.encoder import EncoderSettings, IdentityEncoder
from genreid.models.generator import Generator, GeneratorSettings
from genreid.seeding import derive_seed

_PREFIXES = ("module.", "backbone.", "base.")
_CLASSIFIERS = ("fc.", "classifier.", "head.")


def build_encoder(settings: EncoderSettings, seed: int) -> IdentityEncoder:
    """The identity encoder, random by `seed` or pretrained by `settings.pretrained`.

    Raises GenreidError when pretrained weights cannot be fetched or read, or fit another network.
    """
    with _seeded(seed, "encoder"):
        encoder = IdentityEncoder(settings)
    if settings.pretrained == "none":
        return encoder
    if settings.pretrained != "imagenet":
        _load_backbone(encoder.backbone, _read_state(Path(settings.pretrained)), settings)
    elif settings.backbone in RESNETS:
        _load_backbone(encoder.backbone, imagenet_state(settings.backbone), settings)
    else:
        encoder.backbone = TimmBackbone(settings.backbone, settings.last_stride, pretrained=True)
    return encoder


def build_generator(
    settings: GeneratorSettings, appearance_dim: int, num_stripes: int, seed: int
) -> Generator:
    """The generator for an encoder's `appearance_dim` and number of stripes; Kaiming normal (METHOD,
    Networks).
    """
    with _seeded(seed, "generator"):
        generator = Generator(settings, appearance_dim, num_stripes)
        for module in generator.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=LEAKY_SLOPE, nonlinearity="leaky_relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return generator


def build_discriminator(settings: DiscriminatorSettings, seed: int) -> Discriminator:
    """The discriminator; weights from N(0, 0.02) (METHOD, Networks)."""
    with _seeded(seed, "discriminator"):
        discriminator = Discriminator(settings)
        for module in discriminator.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return discriminator


@contextmanager
def _seeded(seed: int, purpose: str) -> Iterator[None]:
    """Draws inside come from (seed, purpose); the global generator is as if nothing had happened.

    Layers draw their first weights from the global CPU generator: that one alone is seeded and put back.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "initialisation", purpose))
        yield


def _read_state(path: Path) -> Mapping[str, Tensor]:
    remedy = "set encoder.pretrained to none, imagenet, or a file of torchvision-named weights"
    if not path.is_file():
        raise GenreidError(f"pretrained weights {path}: no such file; {remedy}")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises a dozen kinds for a file that is not its own
        reason = _first_line(error)
        raise GenreidError(f"pretrained weights {path} cannot be read ({reason}); {remedy}") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise GenreidError(f"pretrained weights {path} hold no table of tensors; {remedy}")
    return content


def _load_backbone(backbone: nn.Module, state: Mapping[str, Tensor], settings: EncoderSettings) -> None:
    """Every weight of the backbone must be in `state`, in its shape; a classifier in `state` is left out."""
    ours = backbone.state_dict()
    given = {_plain(name): tensor for name, tensor in state.items()}
    place = f"pretrained weights ({settings.pretrained}) for backbone {settings.backbone}"
    for name, tensor in ours.items():
        if name.endswith("num_batches_tracked"):
            given.setdefault(name, tensor)
        if name not in given:
            raise GenreidError(f"{place}: {name} is missing; the file is of another network")
        if given[name].shape != tensor.shape:
            raise GenreidError(
                f"{place}: {name} has shape {tuple(given[name].shape)}, expected {tuple(tensor.shape)}; "
                "the file is of another width or stem: see encoder.base_width and encoder.stem"
            )
    unknown = [name for name in given if name not in ours and not name.startswith(_CLASSIFIERS)]
    if unknown:
        raise GenreidError(f"{place}: {unknown[0]} has no place in it; the file is of another network")
    backbone.load_state_dict({name: given[name] for name in ours})


def _plain(name: str) -> str:
    """Without the prefixes that wrappers put before a backbone's own names."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
