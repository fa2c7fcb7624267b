"""Weights from elsewhere: files of other programs, read without running any of their code, and ImageNet's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genreid.errors import GenreidError, is_of_machine, why_not_loaded
from genreid.mistaken import mistaken_for
from genreid.models.backbone import RESNETS, ResNetBackbone
from genreid.models.timm_backbone import TimmBackbone

_PREFIXES = ("module.", "backbone.", "base.")
_CLASSIFIERS = ("fc.", "classifier.", "head.")
_TABLES = ("state_dict", "model", "net", "id")
"""Under which name programs keep the weights beside an optimiser's state and an epoch."""


def read_weights(path: Path, remedy: str) -> dict[str, Tensor]:
    """The table of tensors in a torch file, by name; a safetensors file is one too.

    Only tensors, plain types and NumPy's numbers are taken: a pickle that holds more is refused, none of
    its code runs. Raises GenreidError, ending with the `remedy`.
    """
    if what := mistaken_for(path):
        raise GenreidError(f"weights {path} are {what}")
    if not path.is_file():
        raise GenreidError(f"weights {path}: no such file; {remedy}")
    try:
        content = _read(path)
    except Exception as error:  # torch.load raises a dozen kinds for a file that is not its own
        if is_of_machine(error):
            raise
        raise GenreidError(f"weights {path} cannot be read ({why_not_loaded(error)}); {remedy}") from error
    for name in _TABLES:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if isinstance(content, Mapping):
        tensors = {
            str(name): _plain_count(str(name), value)
            for name, value in content.items()
            if isinstance(value, Tensor)
        }
        if tensors and len(tensors) == len(content):
            return tensors
    raise GenreidError(f"weights {path} hold no table of tensors; {remedy}")


def _plain_count(name: str, tensor: Tensor) -> Tensor:
    """fast-reid wrote a batch norm's count of batches as a list of one, torch has it as a number."""
    is_count = name.endswith("num_batches_tracked") and tensor.numel() == 1
    return tensor.reshape(()) if is_count else tensor


def load_pretrained(
    backbone: nn.Module, name: str, last_stride: int, pretrained: str
) -> ResNetBackbone | TimmBackbone:
    """`backbone` with ImageNet's weights (`imagenet`: by the library's own loader) or with a local file's.

    Returns a new network where timm has to make it. Raises GenreidError when the weights cannot be fetched
    or read, or fit another network.
    """
    state = None
    if pretrained != "imagenet":
        remedy = (
            "set encoder.pretrained to none, imagenet, or a file of weights named as the library names them"
        )
        state = read_weights(Path(pretrained), remedy)
    if isinstance(backbone, TimmBackbone):
        return TimmBackbone(name, last_stride, pretrained=True, state=state)
    assert isinstance(backbone, ResNetBackbone)
    _load_resnet(backbone, state or imagenet_weights(name), f"pretrained weights ({pretrained}) for {name}")
    return backbone


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


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    with _numpy_numbers():
        return torch.load(path, map_location="cpu", weights_only=True)


@contextmanager
def _numpy_numbers() -> Iterator[None]:
    """Let the unpickler make NumPy's scalars, which programs keep beside the weights: a best mAP, say."""
    scalar = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")]
    with torch.serialization.safe_globals([*((scalar, name) for name in names), np.dtype, *kinds]):  # type: ignore[list-item]
        yield


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
