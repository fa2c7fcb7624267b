"""How alike pictures are, and sets of them.

Shapes: B pictures uint8 RGB (B,H,W,3), silhouettes (B,H,W) bool; N, M samples of D features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np

_WINDOW_PX = 11
_SIGMA_PX = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True)
class ViewErrors:
    """Pictures against the true views: arrays of one shape, one number a picture.

    l1, ssim: over the whole picture. person_l1, person_ssim: within the true silhouette; NaN where it is
        empty.
    """

    l1: np.ndarray
    ssim: np.ndarray
    person_l1: np.ndarray
    person_ssim: np.ndarray

    def means(self) -> dict[str, float]:
        """Each one's mean over all pictures that have it."""
        return {name: float(np.nanmean(values)) for name, values in asdict(self).items()}

    @staticmethod
    def joined(parts: Sequence[ViewErrors], join: Callable[..., np.ndarray], axis: int) -> ViewErrors:
        """Parts stacked or concatenated along an axis."""
        names = ("l1", "ssim", "person_l1", "person_ssim")
        return ViewErrors(*(join([getattr(part, name) for part in parts], axis=axis) for name in names))


def view_errors(pictures: np.ndarray, true: np.ndarray, silhouettes: np.ndarray) -> ViewErrors:
    """Errors of B pictures against the true views, each (B,)."""
    difference = np.abs(pictures.astype(np.float64) - true).mean(axis=3) / 255
    likeness = ssim_maps(pictures, true)
    area = silhouettes.sum(axis=(1, 2))
    nan_where_empty = np.where(area > 0, area, np.nan)
    return ViewErrors(
        l1=difference.mean(axis=(1, 2)),
        ssim=_inner_mean(likeness),
        person_l1=(difference * silhouettes).sum(axis=(1, 2)) / nan_where_empty,
        person_ssim=(likeness * silhouettes).sum(axis=(1, 2)) / nan_where_empty,
    )


def l1(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each pair of pictures on the scale 0 to 1: (B,)."""
    return np.abs(first.astype(np.float64) - second).mean(axis=(1, 2, 3)) / 255


def ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Structural similarity of each pair of pictures: (B,), 1 for equal ones.

    Wang et al. 2004, equation 13: Gaussian window of 11 pixels, σ 1.5, K1 = 0.01, K2 = 0.03; the mean over
    channels and over pixels whose window lies within the picture.
    """
    return _inner_mean(ssim_maps(first, second))


def ssim_maps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The same for every pixel, mean over channels: (B,H,W); windows are mirrored at the border."""
    pairs = zip(first.astype(np.float64), second.astype(np.float64), strict=True)
    return np.stack([_ssim_map(a, b) for a, b in pairs])


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """‖μ1 − μ2‖² + tr(Σ1 + Σ2 − 2(Σ1Σ2)^½) of two sets of features (N,D) and (M,D) (Heusel et al. 2017,
    equation 6).

    Here the features are an encoder's unit-row embeddings, not Inception's: a figure of one judge cannot be
    held against another's.
    """
    first, second = first.astype(np.float64), second.astype(np.float64)
    shift = first.mean(axis=0) - second.mean(axis=0)
    spread = np.atleast_2d(np.cov(first, rowvar=False)), np.atleast_2d(np.cov(second, rowvar=False))
    # tr (Σ1Σ2)^½ from the symmetric Σ1^½ Σ2 Σ1^½, which has the same eigenvalues
    values, vectors = np.linalg.eigh(spread[0])
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ spread[1] @ root).clip(min=0)).sum()
    distance = shift @ shift + np.trace(spread[0]) + np.trace(spread[1]) - 2 * shared
    return max(0.0, float(distance))  # rounding leaves the distance of equal sets a little below


def _ssim_map(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    mean_1, mean_2 = _blur(first), _blur(second)
    variance_1 = _blur(first * first) - mean_1 * mean_1
    variance_2 = _blur(second * second) - mean_2 * mean_2
    covariance = _blur(first * second) - mean_1 * mean_2
    likeness = (2 * mean_1 * mean_2 + _C1) * (2 * covariance + _C2)
    likeness /= (mean_1**2 + mean_2**2 + _C1) * (variance_1 + variance_2 + _C2)
    per_pixel: np.ndarray = likeness.mean(axis=2)
    return per_pixel


def _blur(picture: np.ndarray) -> np.ndarray:
    window = (_WINDOW_PX, _WINDOW_PX)
    blurred: np.ndarray = cv2.GaussianBlur(picture, window, _SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    return blurred


def _inner_mean(maps: np.ndarray) -> np.ndarray:
    margin = _WINDOW_PX // 2
    inner: np.ndarray = maps[:, margin:-margin, margin:-margin].mean(axis=(1, 2))
    return inner
