"""Persons whose clothes and posture are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from genreid.body.poses import STAND, SWING, Pose
from genreid.synthetic.person.identity import Garment, Identity, Pattern, Print
from genreid.synthetic.person.wardrobe import sample_identity

PLAIN = Pattern("plain", (0.0, 0.0, 0.0), 0.1, 0.0)
SHIRT = Garment("tshirt", (0.5, 0.5, 0.5), PLAIN, sleeve=0.4, hem_m=-0.05, ease_m=0.012)
LOGO = Print("disc", (0.9, 0.1, 0.1), (0.1, 0.1, 0.9), size_m=0.15, y_m=0.25, seed=1)
UP = np.array([0.0, -np.cos(0.3), -np.sin(0.3)])
"""Against gravity, for a camera that looks down by 0.3 rad."""
T_POSE = Pose(np.tile(np.eye(3), (23, 1, 1)), STAND, SWING, SWING)


def someone(**changes: Any) -> Identity:
    person = sample_identity(1, 1, likeness=0.0)
    bare: dict[str, Any] = {
        "outer": None,
        "scarf": None,
        "bag": replace(person.bag, kind="none"),
        "top": SHIRT,
    }
    return replace(person, **(bare | changes))
