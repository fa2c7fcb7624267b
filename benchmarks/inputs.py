"""Embeddings that look like those of persons, of any number and width.

Shapes: N images, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

IMAGES_PER_PERSON = 17.2
"""As in the training split of Market-1501: 12,936 images of 751 persons."""

NUM_CAMERAS = 6
CHUNK_ROWS = 8192

Spectrum = Literal["falling", "flat"]


@dataclass(frozen=True)
class People:
    """features: (N, D) float32 unit rows. person, camera: (N,) int64, from 1 and from 0 on."""

    features: torch.Tensor
    person: np.ndarray
    camera: np.ndarray


def people(num: int, width: int, *, spectrum: Spectrum = "falling", seed: int = 0) -> People:
    """N images of N / 17.2 persons seen by six cameras: person + camera + nuisance (pose …) + white noise.

    Eight persons share an outfit, and images differ in how much nuisance they carry: some are outliers.

    falling: the variance along direction i falls like 1/(i + D/64)², as in the embeddings that the default
    run's encoder gives: 84 % of it lie in the first twelfth of the directions, 96 % in the first quarter.
    flat: all directions alike, the worst case for a search that leaves directions out.
    """
    draw = torch.Generator().manual_seed(seed)
    scale = 1 / (torch.arange(width) + width / 64) if spectrum == "falling" else torch.ones(width)
    scale = scale / scale.norm()
    num_persons = max(1, round(num / IMAGES_PER_PERSON))
    person = torch.randint(num_persons, (num,), generator=draw)
    camera = torch.randint(NUM_CAMERAS, (num,), generator=draw)
    outfits = torch.randn(num_persons // 8 + 1, width, generator=draw)
    own = torch.randn(num_persons, width, generator=draw)
    persons = (0.5 * outfits[torch.arange(num_persons) // 8] + 0.87 * own) * scale
    cameras = 0.4 * torch.randn(NUM_CAMERAS, width, generator=draw) * scale
    features = torch.empty(num, width)
    for start in range(0, num, CHUNK_ROWS):
        rows = slice(start, min(start + CHUNK_ROWS, num))
        size = (rows.stop - rows.start, width)
        amount = 0.4 + 0.8 * torch.rand(size[0], 1, generator=draw)
        nuisance = amount * torch.randn(size, generator=draw) * scale
        noise = 0.1 * torch.randn(size, generator=draw) / width**0.5
        features[rows] = persons[person[rows]] + cameras[camera[rows]] + nuisance + noise
        features[rows] /= features[rows].norm(dim=1, keepdim=True)
    return People(features, person.numpy() + 1, camera.numpy())
