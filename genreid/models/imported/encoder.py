"""A network of another program as an encoder: what is asked of one by those who do not train it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from genreid.models.imported.facts import Levels, Spreads
from genreid.models.statistics import change_from_imagenet


@dataclass(frozen=True)
class Built:
    """A network out of a file. network: pictures (B,3,H,W), less `mean` and divided by `std`, → (B,E).

    size_px: H and W. feature_dim: E. left_out: names in the file that it has no use for.
    """

    network: nn.Module
    feature_dim: int
    size_px: tuple[int, int]
    mean: Levels
    std: Spreads
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Embedded:
    """embedding: (B,E), unit rows."""

    embedding: Tensor


class ImportedEncoder(nn.Module):
    """(B,3,H,W), ImageNet-normalised → Embedded.

    network: as in `Built`. The change of mean and deviation on entering is part of the encoder, so that
    pictures are prepared for it as for every other.
    """

    def __init__(
        self, network: nn.Module, embedding_dim: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.network = network
        self.embedding_dim = embedding_dim
        self.scale: Tensor
        self.shift: Tensor
        for name, values in zip(("scale", "shift"), change_from_imagenet(mean, std), strict=True):
            self.register_buffer(name, values.float())

    def forward(self, image: Tensor) -> Embedded:
        return Embedded(F.normalize(self.network(image * self.scale + self.shift), dim=1))
