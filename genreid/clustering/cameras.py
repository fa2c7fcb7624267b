"""What a camera adds to every embedding of its images."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F


def without_camera_mean(features: torch.Tensor, camera_id: np.ndarray) -> torch.Tensor:
    """`features` (N, D) less the mean of their camera's, as unit rows again.

    camera_id: (N,) int. Images of one camera share background and light, so an encoder that has not learnt
    otherwise puts them close together, and clusters become cameras; the mean is what they share. Unknown
    cameras (−1) count as one. A row that is its camera's mean, such as a camera's only image, stays as it is.
    """
    camera = torch.as_tensor(np.unique(camera_id, return_inverse=True)[1])
    num = int(camera.max()) + 1
    sums = torch.zeros(num, features.shape[1]).index_add_(0, camera, features)
    means = sums / torch.bincount(camera, minlength=num)[:, None]
    return less_mean(features, means[camera])


def less_mean(features: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
    """`features` less a mean for each, (N, D) both, as unit rows again; those that are their mean stay."""
    centred = features - means
    nothing_left = centred.norm(dim=1, keepdim=True) < 1e-6
    return F.normalize(torch.where(nothing_left, features, centred), dim=1)
