"""Embedding of a whole image set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from genreid.progress import Progress


class Embedder(Protocol):
    """What embeds: an encoder of ours or of another program. embedding_dim: E."""

    embedding_dim: int

    def __call__(self, image: Tensor) -> Any:
        """(B,3,H,W), ImageNet-normalised → what has an `embedding`, (B,E), unit rows."""
        ...

    def modules(self) -> Iterator[nn.Module]: ...

    def eval(self) -> Any: ...


def embed(
    encoder: Embedder,
    load: Callable[[np.ndarray], Tensor],
    num: int,
    batch_size: int,
    device: torch.device | str,
    progress: Progress,
) -> Tensor:
    """Embeddings of images 0 … num−1 in order: (num, D) float32 on the CPU, unit rows.

    `load` takes indices (B,) int64 and gives normalised images (B,3,H,W). The encoder works in evaluation
    mode, so that an embedding does not depend on its batch; every layer's mode is restored afterwards.
    """
    return embed_mean(encoder, [load], num, batch_size, device, progress)


@torch.no_grad()
def embed_mean(
    encoder: Embedder,
    looks: Sequence[Callable[[np.ndarray], Tensor]],
    num: int,
    batch_size: int,
    device: torch.device | str,
    progress: Progress,
) -> Tensor:
    """The same of images that are looked at in several ways, each by a `load`: the mean over its pictures'
    unit embeddings, as a unit row again. Beyond the paper, which embeds the image alone.
    """
    modes = [(module, module.training) for module in encoder.modules()]
    encoder.eval()
    embeddings = torch.empty(num, encoder.embedding_dim)
    starts = range(0, num, batch_size)
    try:
        for start in progress.track(starts, "embedding", total=len(starts)):
            index = np.arange(start, min(start + batch_size, num))
            rows = [encoder(load(index).to(device)).embedding.float() for load in looks]
            # One alone is of length 1 already: to make it so again would change its last bits.
            mean = rows[0] if len(rows) == 1 else F.normalize(torch.stack(rows).sum(0), dim=1)
            embeddings[start : start + len(index)] = mean.cpu()
    finally:
        for module, mode in modes:
            module.training = mode
    return embeddings
