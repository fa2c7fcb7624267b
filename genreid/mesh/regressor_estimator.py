"""The regressor as an estimator: an image with its mirror image, from native pictures to its own and back.

B images, H×W network input, h×w of a native picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.body.body import BodyParameters
from genreid.body.rotations import matrix_to_axis_angle, matrix_to_rotation_6d, rotation_6d_to_matrix
from genreid.data.transforms import resize
from genreid.mesh.mirror import mirror_camera, mirror_rotations
from genreid.mesh.regressor import Prediction, Regressor, camera_from_image, network_input
from genreid.mesh.settings import NetworkSettings
from genreid.mesh.shards import MeshEstimates, encode_mask

SMALLEST_SIDE_PX = 8
_BATCH_SIZE = 64


class RegressorEstimator:
    """The regressor as a `MeshEstimator`.

    Each image is judged together with its mirror image, and the two answers are averaged. The score is the
    length of the averaged direction of the body's left side, at most 1. The network learns that direction by
    least squares, so it tends to the mean over what the person might be: 1 when the heading is certain, 0
    when front and back are equally likely. The mask is the mean of the two probabilities.

    An image with a side under `SMALLEST_SIDE_PX`, or of one colour throughout, or with an answer that is not
    finite, is `failed`.
    """

    name = "regressor"

    def __init__(self, network: Regressor, device: torch.device) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last).eval()
        self._device = device

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        """See `MeshEstimator`."""
        result = MeshEstimates.without_mesh(["failed"] * len(images))
        usable = np.array([i for i, image in enumerate(images) if _is_usable(image)], np.int64)
        for start in range(0, len(usable), _BATCH_SIZE):
            index = usable[start : start + _BATCH_SIZE]
            found, good = self._estimate([images[i] for i in index])
            result = result.fill(index[good], found.select(good))
        return result

    @torch.inference_mode()
    def _estimate(self, images: list[np.ndarray]) -> tuple[MeshEstimates, np.ndarray]:
        """What is seen in images of any size, and which of the answers (B,) are finite."""
        settings = self._network.settings
        crops = [Crop.of(image.shape[0], image.shape[1], settings) for image in images]
        pixels = np.stack([crop.cut(image) for crop, image in zip(crops, images, strict=True)])
        batch = network_input(pixels).to(self._device)
        rotation_6d, betas, camera, person = _both_sides(self._network(batch), self._network(batch.flip(3)))
        axis_angle = matrix_to_axis_angle(rotation_6d_to_matrix(rotation_6d)).cpu()
        parameters = BodyParameters(axis_angle[:, 0], axis_angle[:, 1:].flatten(1), betas.cpu())
        native = camera_from_image(camera).cpu()
        native = torch.stack([crop.camera_to_native(one) for crop, one in zip(crops, native, strict=True)])
        answers = axis_angle, parameters.betas, native, person.cpu()
        good = torch.stack([torch.isfinite(part).flatten(1).all(dim=1) for part in answers]).all(dim=0)
        score = rotation_6d[:, 0, :3].norm(dim=1).clamp(max=1.0).cpu().numpy()
        levels = person.nan_to_num().mul(255).round().to(torch.uint8).cpu().numpy()
        masks = [encode_mask(crop.mask_to_native(level)) for crop, level in zip(crops, levels, strict=True)]
        return MeshEstimates(["ok"] * len(images), score, parameters, native, masks), good.numpy()


def _both_sides(seen: Prediction, mirrored: Prediction) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean of what the network says of images and, mirrored back, of their mirror images.

    rotation_6d, betas, camera as in `Prediction`, and (B, H, W) probabilities of being the person's.
    """
    # The 6D columns are kept at their lengths: a side that is sure outvotes one that is not.
    columns = mirrored.rotation_6d.unflatten(2, (2, 3)).transpose(2, 3)
    back = matrix_to_rotation_6d(mirror_rotations(F.pad(columns, (0, 1))))
    return (
        (seen.rotation_6d + back) / 2,
        (seen.betas + mirrored.betas) / 2,
        (seen.camera + mirror_camera(mirrored.camera)) / 2,
        (seen.mask.sigmoid() + mirrored.mask.flip(2).sigmoid()) / 2,
    )


@dataclass(frozen=True)
class Crop:
    """How a native picture becomes the network's: its edges are repeated to the network's aspect, so that
    bodies keep their proportions, and the whole is resized. Sizes are those of the picture and with edges.
    """

    height: int
    width: int
    padded_height: int
    padded_width: int
    settings: NetworkSettings

    @classmethod
    def of(cls, height: int, width: int, settings: NetworkSettings) -> Crop:
        padded_height = max(height, round(width * settings.height_px / settings.width_px))
        padded_width = max(width, round(height * settings.width_px / settings.height_px))
        return cls(height, width, padded_height, padded_width, settings)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 → (H, W, 3)."""
        top, left = self._margin()
        padded = cv2.copyMakeBorder(
            image,
            top,
            self.padded_height - self.height - top,
            left,
            self.padded_width - self.width - left,
            cv2.BORDER_REPLICATE,
        )
        return resize(padded, self.settings.height_px, self.settings.width_px)

    def camera_to_native(self, camera: Tensor) -> Tensor:
        """(3,) weak perspective in the network's picture → in the native one."""
        top, left = self._margin()
        half_side = max(self.height, self.width) / 2
        scale = camera[0] * (max(self.padded_height, self.padded_width) / 2) / half_side
        shift = camera.new_tensor(
            [
                self.padded_width / 2 - left - self.width / 2,
                self.padded_height / 2 - top - self.height / 2,
            ]
        )
        return torch.cat([scale[None], camera[1:] + shift / (scale * half_side)])

    def mask_to_native(self, mask: np.ndarray) -> np.ndarray:
        """(H, W) uint8 in the network's picture → (h, w) in the native one."""
        top, left = self._margin()
        padded = resize(mask, self.padded_height, self.padded_width)
        return padded[top : top + self.height, left : left + self.width]

    def _margin(self) -> tuple[int, int]:
        return (self.padded_height - self.height) // 2, (self.padded_width - self.width) // 2


def _is_usable(image: np.ndarray) -> bool:
    return min(image.shape[:2]) >= SMALLEST_SIDE_PX and bool((image != image[0, 0]).any())
