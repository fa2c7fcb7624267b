"""Who is painted on whose mesh where a picture of the same person is to be matched (`generation`, L_same)."""

from __future__ import annotations

import numpy as np
import torch

from genreid.clustering.memory import Members, sample_positives


class Partners:
    """For images with a mesh, other images of the same pseudo-identity that have one too.

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
        """(B,) a partner for each image at `index` (B,): any other one, or itself where there is none."""
        return sample_positives(self._members, torch.from_numpy(index), generator=generator).numpy()
