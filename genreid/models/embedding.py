"""Embedding of a whole image set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from genreid.models.encoder import IdentityEncoder

if TYPE_CHECKING:
    from genreid.progress import Progress


@torch.no_grad()
def embed(
    encoder: IdentityEncoder,
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
    modes = [(module, module.training) for module in encoder.modules()]
    encoder.eval()
    embeddings = torch.empty(num, encoder.embedding_dim)
    starts = range(0, num, batch_size)
    try:
        for start in progress.track(starts, "embedding", total=len(starts)):
            index = np.arange(start, min(start + batch_size, num))
            embeddings[start : start + len(index)] = encoder(load(index).to(device)).embedding.float().cpu()
    finally:
        for module, mode in modes:
            module.training = mode
    return embeddings
