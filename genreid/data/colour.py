"""What person re-identification looked at before it learnt: colours of horizontal stripes."""

from __future__ import annotations

import cv2
import numpy as np

NUM_STRIPES = 16
_MIDDLE = (0.3, 0.7)


def stripe_colours(images: np.ndarray, camera_id: np.ndarray) -> np.ndarray:
    """Mean CIELAB colour of each of 16 horizontal stripes, standardised camera by camera: (N, 48) unit rows.

    images: (N, H, W, 3) uint8 RGB; camera_id: (N,) int. Only the middle 40 % of the width counts, where the
    person stands. Stripes are the classic partition (Gray and Tao, "Viewpoint Invariant Pedestrian
    Recognition with an Ensemble of Localized Features", ECCV 2008); subtracting a camera's mean and dividing
    by its deviation takes out its light and its colour cast, which otherwise outweigh what a person wears.
    The only image of a camera is held against all images instead, and an image without any difference (copies
    of one another fill a camera) gets a row of equal entries: every row is a unit row.
    """
    width = images.shape[2]
    left, right = round(_MIDDLE[0] * width), max(round(_MIDDLE[1] * width), round(_MIDDLE[0] * width) + 1)
    middle = [np.ascontiguousarray(image[:, left:right]) for image in images]
    lab = np.stack([cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB) for pixels in middle]).astype(np.float32)
    stripes = [part.mean((1, 2)) for part in np.array_split(lab, NUM_STRIPES, axis=1)]
    colours = np.concatenate(stripes, axis=1)
    everywhere = colours.mean(0), colours.std(0)
    for camera in np.unique(camera_id):
        seen = camera_id == camera
        if np.count_nonzero(seen) > 1:
            colours[seen] -= colours[seen].mean(0)
            colours[seen] /= colours[seen].std(0) + 1e-3
        else:
            colours[seen] = (colours[seen] - everywhere[0]) / (everywhere[1] + 1e-3)
    length = np.linalg.norm(colours, axis=1, keepdims=True)
    nothing = length < 1e-6
    return np.where(nothing, np.float32(colours.shape[1] ** -0.5), colours / np.where(nothing, 1, length))
