"""From bytes to what the networks take, and back.

Shapes: B batch, H, W image size in pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from genreid.data.part import Part
from genreid.data.settings import AugmentationSettings
from genreid.preprocessing import IMAGENET_MEAN, IMAGENET_STD


def resize(image: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """The one resize for images and views: (h, w) or (h, w, 3) uint8 to (height_px, width_px[, 3]).

    Area averaging where it shrinks, bilinear where it enlarges, so that an image and its mesh view stay
    aligned to a fraction of a pixel.
    """
    height, width = image.shape[:2]
    if (height, width) == (height_px, width_px):
        return image
    shrinks = height_px * width_px < height * width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width_px, height_px), interpolation=method)


def normalise(images: np.ndarray) -> torch.Tensor:
    """(B, H, W, 3) uint8 RGB to (B, 3, H, W) float32, ImageNet mean and standard deviation."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().div_(255.0)
    mean, std = _statistics(pixels)
    return pixels.sub_(mean).div_(std)


def denormalise(images: torch.Tensor) -> np.ndarray:
    """The inverse of `normalise`, clipped: (B, 3, H, W) to (B, H, W, 3) uint8 RGB."""
    pixels = images.detach().float().cpu()
    mean, std = _statistics(pixels)
    levels = (pixels * std + mean).mul(255.0).round_().clamp_(0, 255)
    return levels.permute(0, 2, 3, 1).to(torch.uint8).numpy()


def normalise_mesh(views: np.ndarray) -> torch.Tensor:
    """Grey mesh views (B, H, W) uint8 to (B, 1, H, W) float32 in [-1, 1], black background at -1."""
    return torch.from_numpy(np.ascontiguousarray(views))[:, None].float().div_(127.5).sub_(1.0)


def augment(
    images: torch.Tensor,
    settings: AugmentationSettings,
    rng: np.random.Generator,
    part: Part | None = None,
) -> torch.Tensor:
    """Flip, crop and erase every image of a normalised batch (B, 3, H, W) on its own; a new tensor.

    part: where they are a part of a batch, for all of which is drawn; None: all of it.
    """
    height, width = images.shape[2:]
    part = part or Part.all_of(len(images))
    num, rows = part.num, part.rows
    flip = torch.from_numpy((rng.random(num) < settings.flip)[rows]).to(images.device)
    result = torch.where(flip[:, None, None, None], images.flip(3), images)
    if settings.pad_px:
        pad = settings.pad_px
        padded = F.pad(result, (pad, pad, pad, pad))
        corners = rng.integers(0, 2 * pad + 1, (num, 2))[rows]
        result = torch.stack(
            [padded[i, :, top : top + height, left : left + width] for i, (top, left) in enumerate(corners)]
        )
    if settings.colour:
        drawn = rng.uniform(-settings.colour, settings.colour, (2, num, 3, 1, 1))[:, rows]
        gain, offset = torch.from_numpy(drawn).to(images.device, images.dtype)
        result = result * (1 + gain) + offset
    for position in np.flatnonzero(rng.random(num) < settings.erase):
        top, left, bottom, right = _erased_box(height, width, rng)
        if rows.start <= position < rows.stop:
            result[position - rows.start, :, top:bottom, left:right] = 0.0  # in normalised pixels the mean
    return result


def _erased_box(height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A rectangle as random erasing draws it (Zhong et al. 2020, section 3), in pixels."""
    while True:
        area = rng.uniform(0.02, 0.4) * height * width
        aspect = np.exp(rng.uniform(np.log(0.3), np.log(3.3)))
        box_height, box_width = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if 0 < box_height < height and 0 < box_width < width:
            top = int(rng.integers(0, height - box_height + 1))
            left = int(rng.integers(0, width - box_width + 1))
            return top, left, top + box_height, left + box_width


def _statistics(like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = torch.tensor(IMAGENET_MEAN, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
    return mean, std
