"""What the three loops share: gradients, rates, and what a step leaves behind.

Shapes: N images, D width.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from genreid.models.encoder import IdentityEncoder
from tests.reference.data import Batch, Data, pixels, warped_picture


@dataclass(frozen=True)
class Step:
    """Where a loop stands after a step: the step's weighted losses, the state of all that learns, and what
    the epoch has fixed (pseudo-labels, prototypes) or a memory holds."""

    epoch: int
    losses: dict[str, float]
    parts: dict[str, dict[str, Any]]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    batch: Batch | None = None


Gradients = list[tuple[nn.Parameter, Tensor | None]]
"""Weights, each with its slope."""


def kept(parts: Mapping[str, nn.Module | torch.optim.Optimizer]) -> dict[str, dict[str, Any]]:
    """Copies of their states."""
    return {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}


def numbers(losses: Mapping[str, Tensor], group: str) -> dict[str, float]:
    return {f"{group}/{name}": loss.item() for name, loss in losses.items()}


def total(losses: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def gradients(loss: Tensor, *networks: nn.Module, again: bool = False) -> Gradients:
    """∂loss/∂w for each weight w of `networks` that learns; None for one that the loss does not reach.

    again: whether another loss that shares pictures with this one is to be followed backwards after it.
    """
    weights = [weight for network in networks for weight in network.parameters() if weight.requires_grad]
    found = torch.autograd.grad(loss, weights, retain_graph=again, allow_unused=True)
    return list(zip(weights, found, strict=True))


def descend(found: Gradients, *optimisers: torch.optim.Optimizer) -> None:
    """One step along the gradients, which are those of all weights of `optimisers`."""
    for weight, gradient in found:
        weight.grad = gradient
    for optimiser in optimisers:
        optimiser.step()
        optimiser.zero_grad()


def set_rate(optimiser: torch.optim.Optimizer, first: float, epoch: int, every: int) -> None:
    """A tenth after each `every` epochs."""
    for group in optimiser.param_groups:
        group["lr"] = first * 0.1 ** (epoch // every)


@torch.no_grad()
def embed(encoder: IdentityEncoder, data: Data, views: str = "none") -> Tensor:
    """f of all images (N, D), in evaluation mode; or the normalised mean of that of an image and those of its
    mirror image (views: `mirror`) or of its person `turned`; with `turned_rows` all of them (N, R, D)."""
    encoder.eval()
    rows = []
    for number, image in enumerate(data.images):
        pictures = [image]
        if views == "mirror":
            pictures.append(image[:, ::-1])
        if views in ("turned", "turned_rows"):
            has_mesh = number in data.with_mesh
            for turn in (90, 180, 270):
                pictures.append(warped_picture(data, number, turn, number) if has_mesh else image)
        seen = torch.stack([encoder(pixels(picture[None])).embedding[0].float() for picture in pictures])
        mean = seen.mean(0)
        if views == "turned_rows":
            rows.append(seen)
        else:
            rows.append(mean / mean.norm() if len(seen) > 1 else seen[0])
    return torch.stack(rows)
