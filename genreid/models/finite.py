"""Weights that are numbers: with one that is none, everything a network says is none either."""

from __future__ import annotations

import torch
from torch import nn

from genreid.errors import GenreidError


def require_finite(network: nn.Module, source: str, remedy: str) -> None:
    """Raise GenreidError with the `remedy` where a weight or a buffer of the network is not finite."""
    for name, tensor in network.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise GenreidError(f"{source}: {name} holds numbers that are not finite; {remedy}")
