"""What a camera does to the colours of the persons in it, and how one of them would look in another.

Beyond the paper. Each channel's mean and deviation are moved to the other camera's, as Reinhard et al.
("Color Transfer between Images", IEEE Computer Graphics and Applications 2001) move those of one picture to
another's: there in a space of their own, here in RGB, since the light and the gain of a camera act on its
channels.

Shapes: N images, C cameras, B pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_MAX_IMAGES = 512
"""Of a camera, that its colours are taken from: evenly spaced, whatever the size of the set."""


@dataclass(frozen=True)
class CameraColours:
    """camera_id: (C,) sorted. mean, deviation: (C, 3) float32, of 0 to 255, over the persons' pixels."""

    camera_id: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(
        cls, camera_id: np.ndarray, positions: np.ndarray, person: Callable[[int], np.ndarray]
    ) -> CameraColours:
        """Of images at `positions` (M,) among N with cameras (N,); person: position → its pixels (P, 3)
        uint8.

        Images of whose person no pixel is known do not count; a camera without any has the colours of all.
        """
        cameras = np.unique(camera_id[positions])
        count, total, squares = np.zeros((len(cameras), 1)), *np.zeros((2, len(cameras), 3))
        for number, camera in enumerate(cameras):
            own = positions[camera_id[positions] == camera]
            every = -(-len(own) // _MAX_IMAGES)
            for position in own[::every]:
                pixels = person(int(position)).astype(np.float64)
                count[number] += len(pixels)
                total[number] += pixels.sum(0)
                squares[number] += (pixels**2).sum(0)
        nothing = count[:, 0] == 0
        count[nothing], total[nothing], squares[nothing] = count.sum(), total.sum(0), squares.sum(0)
        mean = total / np.maximum(count, 1)
        variance = squares / np.maximum(count, 1) - mean**2
        return cls(cameras, mean.astype(np.float32), np.sqrt(np.maximum(variance, 1)).astype(np.float32))

    def change(self, camera: int, other: int) -> tuple[np.ndarray, np.ndarray]:
        """Gain and offset, (3,) float32 each: `gain · colour + offset` is a colour of `camera` as `other` has
        it."""
        own, new = np.searchsorted(self.camera_id, [camera, other])
        gain = self.deviation[new] / self.deviation[own]
        return gain, self.mean[new] - gain * self.mean[own]
