"""Contrast that knows cameras: an embedding against proxies, one for each camera that sees a pseudo-identity.

Source: Wang et al., "Camera-Aware Proxies for Unsupervised Person Re-Identification", AAAI 2021 (CAP, arXiv
2012.10674), section 3.3. Beyond GCL+, which knows none. B batch, D embedding width, Q proxies. Embeddings and
proxies are unit rows; proxies carry no gradient.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def within_camera(
    embedding: Tensor, proxies: Tensor, own: Tensor, camera: Tensor, temperature: float
) -> Tensor:
    """Cross-entropy of f·Pᵀ/τ over the proxies of the image's own camera, with its own as the class; ().

    Light and background are theirs all alike, so that they help nothing to tell these apart (CAP, equation
    5). embedding f (B, D); proxies P (Q, D); own: (B,) int64, each image's proxy; camera: (Q,) of each proxy.
    """
    logits = embedding @ proxies.detach().T / temperature
    elsewhere = camera != camera[own][:, None]
    return F.cross_entropy(logits.masked_fill(elsewhere, -torch.inf), own)


def across_cameras(
    embedding: Tensor,
    proxies: Tensor,
    own: Tensor,
    pseudo_label: Tensor,
    num_negatives: int,
    temperature: float,
) -> Tensor:
    """−log of the share that each proxy of the pseudo-identity in another camera has among all of those and
    the nearest proxies of other pseudo-identities: its mean over such proxies, then over the images that have
    any; (). 0 where none has (CAP, equations 6 and 7).

    pseudo_label: (Q,) of each proxy; num_negatives: at most so many of the nearest.
    """
    logits = embedding @ proxies.detach().T / temperature
    alike = pseudo_label == pseudo_label[own][:, None]
    positive = alike & (torch.arange(len(proxies), device=own.device) != own[:, None])
    nearest = min(num_negatives, logits.shape[1])
    negatives = logits.masked_fill(alike, -torch.inf).topk(nearest, dim=1).values
    among = torch.cat([logits.masked_fill(~positive, -torch.inf), negatives], dim=1)
    num = positive.sum(dim=1)
    seen_elsewhere = num > 0
    if not bool(seen_elsewhere.any()):
        return logits.sum() * 0
    logits, among, positive, num = (part[seen_elsewhere] for part in (logits, among, positive, num))
    of_positives = (logits * positive).sum(dim=1) / num
    return (among.logsumexp(dim=1) - of_positives).mean()
