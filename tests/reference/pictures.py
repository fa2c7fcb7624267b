"""What is done to pictures: ordinary augmentation, other backgrounds, and the colours of stripes.

Shapes: N images, B batch, H×W the training size.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from genreid.data.settings import AugmentationSettings
from tests.reference.data import Batch


def augmented(images: Tensor, settings: AugmentationSettings, rng: np.random.Generator) -> Tensor:
    """(B, 3, H, W): each image flipped, padded and cropped, its colours shifted, a rectangle erased.

    Drawn for all images one after the other: flips, corners, colours, who is erased, the rectangles.
    """
    num, _, height, width = images.shape
    pad, colour = settings.pad_px, settings.colour
    flips = rng.random(num) < settings.flip
    corners = rng.integers(0, 2 * pad + 1, (num, 2)) if pad else np.zeros((num, 2), int)
    gain, offset = rng.uniform(-colour, colour, (2, num, 3)) if colour else np.zeros((2, num, 3))
    erased = rng.random(num) < settings.erase
    results = []
    for i, image in enumerate(images):
        image = image.flip(2) if flips[i] else image
        wide = torch.zeros(3, height + 2 * pad, width + 2 * pad)
        wide[:, pad : pad + height, pad : pad + width] = image
        top, left = corners[i]
        image = wide[:, top : top + height, left : left + width]
        for channel in range(3):
            image[channel] = image[channel] * (1 + gain[i, channel]) + offset[i, channel]
        if erased[i]:
            top, left, box_height, box_width = _rectangle(height, width, rng)
            image[:, top : top + box_height, left : left + box_width] = 0
        results.append(image)
    return torch.stack(results)


def _rectangle(height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """2 to 40 % of the area, aspect 0.3 to 3.3 (uniform in its logarithm); drawn again until it fits."""
    while True:
        area = rng.uniform(0.02, 0.4) * height * width
        aspect = np.exp(rng.uniform(np.log(0.3), np.log(3.3)))
        box_height, box_width = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < box_height < height and 0 < box_width < width:
            top = rng.integers(0, height - box_height + 1)
            return top, rng.integers(0, width - box_width + 1), box_height, box_width


def on_background(pictures: Tensor, mesh: Tensor, batch: Batch) -> Tensor:
    """The persons before the batch's backgrounds, if it has any, cut out along their meshes (B, 1, H, W).

    A pixel is the person's if its mesh is seen there or so near that clothes and hair may reach: a pixel away
    for each 64 of the height, in both directions.
    """
    if batch.background is None:
        return pictures
    num, _, height, width = pictures.shape
    reach = max(1, height // 64)
    persons = torch.zeros(num, 1, height, width, dtype=torch.bool)
    for i, _, row, column in (mesh > -1).nonzero().tolist():
        rows = slice(max(0, row - reach), row + reach + 1)
        persons[i, 0, rows, max(0, column - reach) : column + reach + 1] = True
    return torch.where(persons, pictures, batch.background)


def stripe_colours(images: np.ndarray, camera_id: np.ndarray) -> np.ndarray:
    """(N, 48) unit rows: the mean CIELAB colour of 16 stripes of each image (N, H, W, 3), in its middle 40 %.

    Each column has its camera's mean taken out and is divided by its camera's deviation; a camera's only
    image is held against all images. A row without any difference has equal entries.
    """
    width = images.shape[2]
    left, right = round(0.3 * width), round(0.7 * width)
    rows = []
    for image in images:
        lab = cv2.cvtColor(np.ascontiguousarray(image[:, left:right]), cv2.COLOR_RGB2LAB).astype(np.float64)
        rows.append(np.concatenate([stripe.mean((0, 1)) for stripe in np.array_split(lab, 16)]))
    colours = np.array(rows)
    result = np.empty_like(colours)
    for i, camera in enumerate(camera_id):
        alike = colours[camera_id == camera]
        alike = colours if len(alike) == 1 else alike
        result[i] = (colours[i] - alike.mean(0)) / (alike.std(0) + 1e-3)
        length = np.linalg.norm(result[i])
        result[i] = result[i] / length if length >= 1e-6 else 48**-0.5
    return result
