"""Which other images a batch needs: of the same persons, and for their backgrounds."""

from __future__ import annotations

import numpy as np
import torch

from genreid.clustering.memory import Members, sample_positives


class Positives:
    """For images with a mesh, other images of the same pseudo-identity that have one too: whose meshes their
    codes are painted on where L_same is learnt.

    labels: (N,) int64 pseudo-labels, −1 for outliers; with_mesh: (M,) positions of the images with a mesh.
    """

    def __init__(self, labels: np.ndarray, with_mesh: np.ndarray) -> None:
        own = np.full(len(labels), -1, np.int64)
        own[with_mesh] = labels[with_mesh]
        # An outlier stands for itself: nobody knows who else it is.
        alone = with_mesh[labels[with_mesh] < 0]
        own[alone] = labels.max(initial=-1) + 1 + np.arange(len(alone))
        self._members = Members.of(own)

    def draw(self, index: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """(B,) a positive for each image at `index` (B,): any other one, or itself where there is none."""
        return sample_positives(self._members, torch.from_numpy(index), generator=generator).numpy()


def draw_backgrounds(
    index: np.ndarray, camera_id: np.ndarray, with_mesh: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(B,) for each image at `index` (B,) one whose background it may take: of another camera, with a mesh.

    camera_id: (N,) of all images; unknown ones (−1) are one camera. with_mesh: (M,) positions. Where all
    images are of one camera, any image with a mesh.
    """
    cameras = camera_id[with_mesh]
    others = {camera: with_mesh[cameras != camera] for camera in np.unique(camera_id[index])}
    pools = [others[camera] if len(others[camera]) else with_mesh for camera in camera_id[index]]
    return np.array([rng.choice(pool) for pool in pools], np.int64)
