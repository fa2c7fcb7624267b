"""Proxies: a pseudo-identity as each camera sees it (Wang et al. 2021, CAP). N images, Q proxies, D width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genreid.clustering.memory import cluster_means


@dataclass(frozen=True)
class Proxies:
    """Which image belongs to which proxy, and what a proxy is of. Made once an epoch.

    of_image: (N,) int64 into the proxies, −1 for images without a pseudo-identity. pseudo_label, camera:
    (Q,) int64.
    """

    of_image: Tensor
    pseudo_label: Tensor
    camera: Tensor

    @classmethod
    def of(cls, labels: Tensor, camera_id: np.ndarray) -> Proxies:
        """Of pseudo-labels (N,), −1 for outliers, and the cameras (N,) of the images."""
        clustered = (labels >= 0).cpu()
        cameras = torch.from_numpy(np.asarray(camera_id, np.int64))
        pairs = torch.stack([labels.cpu().long(), cameras], dim=1)[clustered]
        kinds, place = torch.unique(pairs, dim=0, return_inverse=True)
        of_image = torch.full((len(cameras),), -1)
        of_image[clustered] = place
        device = labels.device
        return cls(of_image.to(device), kinds[:, 0].to(device), kinds[:, 1].to(device))

    def means(self, rows: Tensor) -> Tensor:
        """(Q, D) unit rows: the normalised mean of the members' unit rows (N, D)."""
        return cluster_means(rows, self.of_image)
