"""Contrast with proxies of cameras (docs/method.md, Camera contrast), image by image.

Shapes: B batch, N images, Q proxies, D width. All rows are unit rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genreid.training.settings.cameras import CameraContrastSettings
from tests.reference.contrast import update_memory


@dataclass(frozen=True)
class Proxies:
    """kinds: Q pairs of pseudo-identity and camera, sorted; rows: (Q, D); of_image: of each image its place,
    or −1."""

    kinds: list[tuple[int, int]]
    rows: Tensor
    of_image: list[int]

    @classmethod
    def of(cls, features: Tensor, labels: np.ndarray, camera_id: np.ndarray) -> Proxies:
        pairs = list(zip(labels.tolist(), np.asarray(camera_id).tolist(), strict=True))
        kinds = sorted({pair for pair in pairs if pair[0] >= 0})
        rows = []
        for kind in kinds:
            mean = features[[image for image, pair in enumerate(pairs) if pair == kind]].mean(0)
            rows.append(mean / mean.norm())
        return cls(kinds, torch.stack(rows), [kinds.index(p) if p in kinds else -1 for p in pairs])

    def losses(self, f: Tensor, index: Tensor, settings: CameraContrastSettings) -> dict[str, Tensor]:
        """The weighted terms of the images at `index` (B,), embedded as f (B, D)."""
        within, across = [], []
        for embedding, image in zip(f, index.tolist(), strict=True):
            own = self.of_image[image]
            label, camera = self.kinds[own]
            score = torch.exp(self.rows.to(f) @ embedding / settings.temperature)
            there = [q for q, kind in enumerate(self.kinds) if kind[1] == camera]
            within.append(-torch.log(score[own] / score[there].sum()))
            alike = [q for q, kind in enumerate(self.kinds) if kind[0] == label and q != own]
            others = [q for q, kind in enumerate(self.kinds) if kind[0] != label]
            nearest = sorted(others, key=lambda q: -float(score[q]))[: settings.num_negatives]
            if alike:
                share = score[alike] / (score[alike].sum() + score[nearest].sum())
                across.append(-torch.log(share).mean())
        found = {}
        if settings.within > 0:
            found["within_camera"] = settings.within * torch.stack(within).mean()
        if settings.across > 0:
            mean = torch.stack(across).mean() if across else 0 * f.sum()
            found["across_cameras"] = settings.across * mean
        return found

    def update(self, index: Tensor, f: Tensor, keep_old: float) -> None:
        update_memory(self.rows, [self.of_image[image] for image in index.tolist()], f, keep_old)


def proxies_if_wanted(
    settings: CameraContrastSettings, features: Tensor, labels: np.ndarray, camera_id: np.ndarray
) -> Proxies | None:
    wanted = settings.within > 0 or settings.across > 0
    return Proxies.of(features, labels, camera_id) if wanted else None
