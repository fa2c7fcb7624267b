"""Two persons on one body: their textures mixed, vertex by vertex.

Source: docs/method.md, Views by warping. Beyond the paper, which mixes identity codes and has them painted.
The vertices of two bodies of one layout are the same places of a person, whatever poses and sides two images
show. V vertices.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from genreid.body.layout import PART_NAMES
from genreid.render.zbuffer import Fragments
from genreid.warping.texture import Texture

Garment = Literal["upper", "lower"]
GARMENTS: tuple[Garment, ...] = ("upper", "lower")

_UPPER = ("torso", "upper_arm", "forearm")
_LOWER = ("hips", "thigh", "shin")

_SURE = (1.0, 0.5, 0.1)
"""How much a colour counts that was seen, filled and guessed."""


def mix_textures(own: Texture, other: Texture, share: np.ndarray | np.float32) -> tuple[Texture, np.ndarray]:
    """A texture between two, and the share (V,) float32 of `own` in it.

    share: (V,) or (), λ. A vertex takes λ·s and (1−λ)·s' of both, over their sum, s and s' being how sure
    either colour is: what one of two persons shows weighs more than what was guessed of the other.
    """
    sure, sure_other = _sureness(own), _sureness(other)
    first, second = share * sure, (1 - share) * sure_other
    weight = (first / (first + second)).astype(np.float32)

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        part = weight if a.ndim == 1 else weight[:, None]
        return np.rint(part * a + (1 - part) * b).astype(np.uint8)

    mixed = Texture(
        between(own.colour, other.colour), between(own.seen, other.seen), between(own.filled, other.filled)
    )
    return mixed, weight


def _sureness(texture: Texture) -> np.ndarray:
    seen, filled = texture.seen / np.float32(255), texture.filled / np.float32(255)
    return _SURE[0] * seen + _SURE[1] * filled + _SURE[2] * (1 - seen - filled)


def in_anothers(garment: Garment, part_labels: np.ndarray) -> np.ndarray:
    """(V,) float32 shares for `mix_textures`: 0 where a person wears the other one's coat (`upper`) or
    trousers (`lower`), elsewhere 1.

    part_labels: (V,) indices into PART_NAMES. The coat covers trunk and arms, the trousers hips and legs.
    """
    worn = {"upper": _UPPER, "lower": _LOWER}[garment]
    covered = [place for place, name in enumerate(PART_NAMES) if name.endswith(worn)]
    return np.where(np.isin(part_labels, covered), np.float32(0), np.float32(1))


def shown_share(weight: np.ndarray, fragments: Fragments, faces: np.ndarray) -> float:
    """The mean of `weight` (V,) over the pixels of a view that show the body; 1 where none does.

    faces: (F, 3). A triangle is smaller than a pixel, so that one of its corners stands for it.
    """
    shown = fragments.face_index[fragments.covered]
    return float(weight[faces[shown, 0]].mean()) if len(shown) else 1.0
