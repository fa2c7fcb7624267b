"""Files of weights that other programs have written, read without running any of their code."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genreid.errors import GenreidError, is_of_machine, why_not_loaded
from genreid.mistaken import mistaken_for
from genreid.packed import why_not_torch

_TABLES = ("state_dict", "model", "net", "id", "teacher")
"""Under which name programs keep the weights beside an optimiser's state and an epoch. teacher: what DINO is
trained for."""


def read_weights(path: Path, remedy: str) -> dict[str, Tensor]:
    """The table of tensors in a torch file, by name; a safetensors file is one too.

    Only tensors, plain types, NumPy's numbers and a command line's arguments are taken: a pickle that holds
    more is refused, none of its code runs. Raises GenreidError, ending with the `remedy`.
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
            _require_stored(tensors, path, remedy)
            return tensors
    raise GenreidError(f"weights {path} hold no table of tensors; {remedy}")


def _require_stored(tensors: Mapping[str, Tensor], path: Path, remedy: str) -> None:
    """Raise GenreidError where a tensor names more numbers than the file holds: one number repeated a billion
    times would fill the memory where it is copied."""
    for name, tensor in tensors.items():
        whole = tensor.layout == torch.strided
        if not whole or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise GenreidError(f"weights {path}: {name} is larger than what the file holds of it; {remedy}")


def _plain_count(name: str, tensor: Tensor) -> Tensor:
    """fast-reid wrote a batch norm's count of batches as a list of one, torch has it as a number."""
    is_count = name.endswith("num_batches_tracked") and tensor.numel() == 1
    return tensor.reshape(()) if is_count else tensor


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    if what := why_not_torch(path):
        raise OSError(what)
    with _kept_beside():
        return torch.load(path, map_location="cpu", weights_only=True)


@contextmanager
def _kept_beside() -> Iterator[None]:
    """Let the unpickler make what programs keep beside the weights: NumPy's scalars, a best mAP, say, and
    argparse's Namespace, which is a bag of names and values, as timm's reader lets it too."""
    scalar = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")]
    numbers = [*((scalar, name) for name in names), np.dtype, *kinds]
    with torch.serialization.safe_globals([*numbers, Namespace]):  # type: ignore[list-item]
        yield
