"""Camera contrast in a training loop: the proxies of an epoch, and their memory (docs/method.md, Camera
contrast). Beyond the paper. N images, Q proxies, B batch, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genreid.clustering.memory import ClusterMemory
from genreid.clustering.proxies import Proxies
from genreid.losses.cameras import across_cameras, within_camera
from genreid.training.settings.cameras import CameraContrastSettings


@dataclass(frozen=True)
class CameraContrast:
    """The proxies of an epoch, and a row for each, which moves with every step."""

    settings: CameraContrastSettings
    proxies: Proxies
    memory: ClusterMemory

    @classmethod
    def of_epoch(
        cls,
        settings: CameraContrastSettings,
        tensors: dict[str, Tensor],
        camera_id: np.ndarray,
        device: torch.device,
    ) -> CameraContrast | None:
        """The contrast of the epoch whose `labels` (N,) and `proxies` (Q, D) are in `tensors`, working on the
        latter, so that they are kept with a run; None where the settings want none.

        camera_id: (N,).
        """
        if not settings.is_on:
            return None
        memory = ClusterMemory.around(tensors["proxies"].to(device))
        tensors["proxies"] = memory.rows
        return cls(settings, Proxies.of(tensors["labels"].to(device), camera_id), memory)

    def losses(self, embedding: Tensor, index: Tensor) -> dict[str, Tensor]:
        """The weighted terms of a batch: embeddings (B, D) of the images at `index` (B,), all clustered."""
        settings, rows, proxies = self.settings, self.memory.rows, self.proxies
        own, tau = proxies.of_image[index], settings.temperature
        losses = {}
        if settings.within > 0:
            within = within_camera(embedding, rows, own, proxies.camera, tau)
            losses["within_camera"] = settings.within * within
        if settings.across > 0:
            label, most = proxies.pseudo_label, settings.num_negatives
            across = across_cameras(embedding, rows, own, label, most, tau)
            losses["across_cameras"] = settings.across * across
        return losses

    def update(self, index: Tensor, embedding: Tensor, *, keep_old: float) -> None:
        """The memory's step after the optimiser's, as that of clusters."""
        self.memory.update(self.proxies.of_image[index], embedding, keep_old=keep_old)


def first_proxies(
    settings: CameraContrastSettings, labels: Tensor, camera_id: np.ndarray, rows: Tensor
) -> dict[str, Tensor]:
    """What an epoch begins with: `proxies` (Q, D), means of rows (N, D); nothing where none are wanted."""
    return {"proxies": Proxies.of(labels, camera_id).means(rows)} if settings.is_on else {}
