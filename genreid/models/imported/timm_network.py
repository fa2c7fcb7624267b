"""Networks of timm with weights in timm's own names: what they pool is the embedding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.imported.facts import Levels, Spreads, TimmFacts
from genreid.models.imported.names import State
from genreid.models.timm_backbone import first_line, require_taken


class PooledNetwork(nn.Module):
    """(B,3,H,W) → (B,E): a network of timm without its classifier.

    facts: which, and how its pictures are; what they leave open is that of timm's own weights of it. Position
    embeddings of other sizes are resized as timm does it, which takes the file's for square ones. Raises
    GenreidError where there is no such network, it pools nothing, or the weights are another's.
    """

    def __init__(self, state: State, facts: TimmFacts, place: str, remedy: str) -> None:
        super().__init__()
        import timm

        if not timm.is_model(facts.architecture):
            raise GenreidError(
                f"{place}: timm has no network {facts.architecture!r}; see timm.list_models() for its names"
            )
        config = timm.get_pretrained_cfg(facts.architecture)
        known = config.to_dict() if config is not None else {}
        self.mean: Levels = facts.mean or known.get("mean") or (0.5, 0.5, 0.5)
        self.std: Spreads = facts.std or known.get("std") or (0.5, 0.5, 0.5)
        self.size_px: tuple[int, int] = tuple(known.get("input_size", (3, 224, 224))[1:])
        if facts.height_px is not None and facts.width_px is not None:
            self.size_px = facts.height_px, facts.width_px
        self.network = _create(facts.architecture, self.size_px, state, place)
        require_taken(self.network, state, facts.architecture)
        self.feature_dim = self._probe(place, remedy)

    def forward(self, image: Tensor) -> Tensor:
        pooled: Tensor = self.network(image)
        return pooled

    @torch.no_grad()
    def _probe(self, place: str, remedy: str) -> int:
        self.network.eval()
        try:
            pooled = self.network(torch.zeros(1, 3, *self.size_px))
        except Exception as error:  # networks of a fixed size raise what they like
            height, width = self.size_px
            raise GenreidError(
                f"{place}: this network takes no {height}×{width} images ({first_line(error)}); {remedy}"
            ) from error
        if not isinstance(pooled, Tensor) or pooled.ndim != 2:
            raise GenreidError(f"{place}: this network gives no pooled feature; {remedy}")
        return pooled.shape[1]


def _create(name: str, size_px: tuple[int, int], state: State, place: str) -> Any:
    """The network for pictures of this size, as far as it asks for one, with these weights."""
    import timm

    weights: dict[str, Any] = {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": dict(state)}}
    wishes: list[dict[str, Any]] = [{"img_size": size_px}, {}]
    for sized in wishes:
        try:
            return timm.create_model(name, num_classes=0, **sized, **weights)
        except TypeError as error:  # convolutional networks are for any size
            refusal: Exception = error
        except Exception as error:  # weights of another network fail in a dozen ways
            refusal = error
            break
    raise GenreidError(
        f"{place}: the file is of another network than timm's {name}, or of pictures of another size than "
        f"{size_px[0]}×{size_px[1]} ({first_line(refusal)})"
    ) from refusal
