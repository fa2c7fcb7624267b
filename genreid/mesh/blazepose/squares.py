"""The square that the network sees of a crop, and the way from it back to the crop."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

INPUT_PX = 256
MARGIN = 1.25
"""Side of the square in longer sides of the crop: what the network was trained to find around a person."""


@dataclass(frozen=True)
class Square:
    """The square around a crop of height_px × width_px. left_px, top_px: how far the crop lies inside it."""

    height_px: int
    width_px: int
    side_px: int
    left_px: int
    top_px: int

    @classmethod
    def around(cls, height_px: int, width_px: int) -> Square:
        side = round(MARGIN * max(height_px, width_px))
        return cls(height_px, width_px, side, (side - width_px) // 2, (side - height_px) // 2)

    def cut(self, crop: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 → (256, 256, 3) uint8: the crop with its edges repeated, resized."""
        bottom = self.side_px - self.height_px - self.top_px
        right = self.side_px - self.width_px - self.left_px
        square = cv2.copyMakeBorder(crop, self.top_px, bottom, self.left_px, right, cv2.BORDER_REPLICATE)
        how = cv2.INTER_AREA if self.side_px > INPUT_PX else cv2.INTER_LINEAR
        resized: np.ndarray = cv2.resize(square, (INPUT_PX, INPUT_PX), interpolation=how)
        return resized

    def camera(self, scale_px: float, u_px: float, v_px: float) -> tuple[float, float, float]:
        """Weak perspective s, t_x, t_y in the native crop (`genreid.body.camera`).

        scale_px: pixels of the input in a metre. u_px, v_px: where the pelvis is in the input.
        """
        native_px = self.side_px / INPUT_PX
        half_side = max(self.height_px, self.width_px) / 2
        scale = scale_px * native_px
        u = u_px * native_px - self.left_px - self.width_px / 2
        v = v_px * native_px - self.top_px - self.height_px / 2
        return scale / half_side, u / scale, v / scale

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """(256, 256) uint8 in the input → (h, w) in the crop."""
        how = cv2.INTER_LINEAR if self.side_px > INPUT_PX else cv2.INTER_AREA
        square = cv2.resize(mask, (self.side_px, self.side_px), interpolation=how)
        return square[
            self.top_px : self.top_px + self.height_px, self.left_px : self.left_px + self.width_px
        ].copy()
