"""Weights for a backbone to start from: ImageNet's by its library or out of a package, or a file's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from genreid.errors import GenreidError, why_not_loaded
from genreid.models.backbone import RESNETS, ResNetBackbone
from genreid.models.package_weights import PACKAGED, packaged_for, read_packaged
from genreid.models.timm_backbone import TimmBackbone
from genreid.models.weights_file import read_weights

_PREFIXES = ("module.", "backbone.", "base.")
_CLASSIFIERS = ("fc.", "classifier.", "head.")


def load_pretrained(
    backbone: ResNetBackbone | TimmBackbone, name: str, last_stride: int, pretrained: str
) -> tuple[ResNetBackbone | TimmBackbone, str]:
    """`backbone` with the weights that `pretrained` names (`EncoderSettings`), and what they are: `auto` is
    resolved.

    Returns a new network where timm has to make it. Raises GenreidError when the weights cannot be fetched
    or read, or fit another network.
    """
    if pretrained == "auto":
        try:
            return load_pretrained(backbone, name, last_stride, "imagenet")
        except GenreidError:  # neither in the library's cache nor to be fetched
            if (packaged := packaged_for(name)) is None:
                raise
        return load_pretrained(backbone, name, last_stride, packaged)
    if pretrained in PACKAGED:
        assert isinstance(backbone, TimmBackbone)
        backbone.take(
            read_packaged(pretrained, backbone.network.state_dict()), PACKAGED[pretrained].statistics
        )
        return backbone, pretrained
    state = None
    if pretrained != "imagenet":
        remedy = (
            "set encoder.pretrained to none, auto, imagenet, a name that `genreid models` lists for the "
            "encoder, or a file of weights named as the library names them"
        )
        state = read_weights(Path(pretrained), remedy)
    if isinstance(backbone, TimmBackbone):
        return TimmBackbone(name, last_stride, pretrained=True, state=state), pretrained
    _load_resnet(backbone, state or imagenet_weights(name), f"pretrained weights ({pretrained}) for {name}")
    return backbone, pretrained


def imagenet_weights(name: str) -> Mapping[str, Tensor]:
    """torchvision's ImageNet weights of a ResNet, from its cache or the network.

    The first published ones (`IMAGENET1K_V1`), which the field's results start from.
    """
    from torchvision.models import get_model_weights

    assert name in RESNETS
    weights = get_model_weights(name)["IMAGENET1K_V1"]
    try:
        return weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise GenreidError(
            f"the ImageNet weights of {name} cannot be fetched from {weights.url} ({why_not_loaded(error)}); "
            f"put the file into {torch.hub.get_dir()}/checkpoints, or set encoder.pretrained to its path, "
            "or to none"
        ) from error


def _load_resnet(backbone: ResNetBackbone, state: Mapping[str, Tensor], place: str) -> None:
    """Every weight of the backbone must be in `state`, in its shape; a classifier in `state` is left out."""
    ours = backbone.state_dict()
    given = {_plain(name): tensor for name, tensor in state.items()}
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
