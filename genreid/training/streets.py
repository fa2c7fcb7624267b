"""Second views that stand in the street of another camera.

Beyond the paper: a rotated view in the image's own street has its background, light and camera in
common with the memory row that it is drawn to, and an encoder that looks at those alone finds it. Moved
into the street of another camera, the person is all that they share. Shapes: B batch, H×W the training
size.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_MARGIN_PX = 64  # of the height: a pixel around the body at each of them, for hair and clothes


def draw_streets(
    index: np.ndarray, camera_id: np.ndarray, with_mesh: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(B,) for each image at `index` (B,) an image whose street may take it: of another camera, with a mesh.

    camera_id: (N,) of all images; unknown ones (−1) are one camera. with_mesh: (M,) positions. Where all
    images are of one camera, any image with a mesh.
    """
    cameras = camera_id[with_mesh]
    others = {camera: with_mesh[cameras != camera] for camera in np.unique(camera_id[index])}
    pools = [others[camera] if len(others[camera]) else with_mesh for camera in camera_id[index]]
    return np.array([rng.choice(pool) for pool in pools], np.int64)


def put_into(street: Tensor, picture: Tensor, mesh: Tensor) -> Tensor:
    """The persons of pictures (B,3,H,W) in other streets (B,3,H,W), cut out along their meshes (B,1,H,W)."""
    margin = max(1, mesh.shape[2] // _MARGIN_PX)
    body = F.max_pool2d((mesh > -1).float(), 2 * margin + 1, stride=1, padding=margin)
    moved = body * picture + (1 - body) * street
    return moved.contiguous(memory_format=torch.channels_last)
