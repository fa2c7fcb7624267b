"""Losses that hold a generated picture against what is known (docs/method.md, Generator pretraining).

Targets are detached here: the loss moves the prediction only.
"""

from __future__ import annotations

from torch import Tensor


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of two tensors of one shape, the target detached; ().

    L_img = l1(x̂, x) and L_cyc = l1(x̃, x) on normalised pixels (GCL+; docs/method.md, Generator pretraining).
    """
    assert prediction.shape == target.shape, f"{tuple(prediction.shape)} and {tuple(target.shape)}"
    return (prediction - target.detach()).abs().mean()


def l1_within(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference of (B,C,H,W) tensors over the pixels where `mask` (B,1,H,W) is true; ().

    The target is detached. Each image weighs by its share of those pixels; 0 where there are none.
    """
    assert prediction.shape == target.shape, f"{tuple(prediction.shape)} and {tuple(target.shape)}"
    difference = (prediction - target.detach()).abs().mean(dim=1, keepdim=True)
    return (difference * mask).sum() / mask.sum().clamp(min=1)


def appearance_consistency(reconstructed: Tensor, back: Tensor, appearance: Tensor) -> Tensor:
    """L_feat = |a(x̂) − a(x)| + |a(x̃) − a(x)| (GCL+; docs/method.md, Generator pretraining);
    codes (B,S·D), the last detached.
    """
    return l1(reconstructed, appearance) + l1(back, appearance)
