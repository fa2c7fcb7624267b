"""Tensors under the names that other programs give them: renamed, and loaded whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from genreid.errors import GenreidError

State = Mapping[str, Tensor]
"""A file's tensors by its names."""

_NAMES_SHOWN = 4


@dataclass(frozen=True)
class Renamed:
    """A file's tensors by our names. left_out: names that an encoder has no use for, such as a classifier's.
    unknown: names that should have a place, and have none.
    """

    tensors: dict[str, Tensor]
    left_out: tuple[str, ...]
    unknown: tuple[str, ...]


def rename(state: State, ours: Callable[[str], str | None], of_training: str) -> Renamed:
    """ours: a name → ours, or None. of_training: a pattern of names that an encoder has no use for."""
    tensors: dict[str, Tensor] = {}
    left_out: list[str] = []
    unknown: list[str] = []
    for name, tensor in state.items():
        own = ours(name)
        if own is not None:
            tensors[own] = tensor
        else:
            (left_out if re.match(of_training, name) else unknown).append(name)
    return Renamed(tensors, tuple(left_out), tuple(unknown))


def without_wrapper(state: State, wrapper: str = "module.") -> dict[str, Tensor]:
    """Without `module.`, which data-parallel training puts before every name, or another such prefix."""
    found = dict(state)
    while found and all(name.startswith(wrapper) for name in found):
        found = {name.removeprefix(wrapper): tensor for name, tensor in found.items()}
    return found


def require_known(found: Renamed, what: str, place: str, remedy: str) -> None:
    """Raise GenreidError where a name has no place. what: what it has no place in."""
    if found.unknown:
        raise GenreidError(f"{place}: {some(found.unknown)} have no place in {what}; {remedy}")


def load_whole(network: nn.Module, tensors: Mapping[str, Tensor], place: str, remedy: str) -> None:
    """Load tensors by our names: every one of the network's, in its shape, and no other.

    Counts of batches, which only training needs, may be missing. Raises GenreidError.
    """
    ours = network.state_dict()
    given = {name: tensor for name, tensor in ours.items() if name.endswith("num_batches_tracked")}
    given |= tensors
    if missing := [name for name in ours if name not in given]:
        share = 1 - len(missing) / len(ours)
        raise GenreidError(
            f"{place}: too little matched: {share:.0%} of the encoder, without {some(missing)}; {remedy}"
        )
    for name, tensor in ours.items():
        if given[name].shape != tensor.shape:
            shapes = f"{tuple(given[name].shape)}, expected {tuple(tensor.shape)}"
            raise GenreidError(f"{place}: {name} has shape {shapes}; {remedy}")
    if odd := [name for name in given if name not in ours]:
        raise GenreidError(f"{place}: {some(odd)} have no place in the encoder; {remedy}")
    network.load_state_dict(given)


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
