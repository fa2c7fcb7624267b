"""What stands along a street: cars, trees, hedges, benches, bins and posts, made of tapered boxes."""

from __future__ import annotations

import numpy as np

from genreid.synthetic.background.surfaces import (
    BARK,
    BRICKWORK,
    CAR_BODY,
    CAR_CABIN,
    LEAVES,
    PAINTED,
    SLATS,
    TYRE,
)

_CAR_RGB = (
    (0.45, 0.45, 0.46), (0.62, 0.62, 0.62), (0.06, 0.06, 0.065), (0.16, 0.17, 0.18), (0.05, 0.08, 0.20),
    (0.34, 0.05, 0.05), (0.10, 0.13, 0.12), (0.50, 0.47, 0.40), (0.07, 0.16, 0.30),
)  # fmt: skip


class Builder:
    """Collects solids and crowns while a street is laid out."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.rows: list[tuple[float, ...]] = []
        self.kinds: list[int] = []
        self.colours: list[tuple[float, ...]] = []
        self.crowns: list[tuple[float, ...]] = []

    def box(
        self,
        p: float,
        q: float,
        size: tuple[float, float, float],
        kind: int,
        rgb: tuple[float, ...],
        foot: float = 0.0,
        lean: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """A box of size (along, up, across) centred on (p, q), standing `foot` metres above the ground."""
        along, up, across = size
        self.rows.append(
            (p - along / 2, p + along / 2, foot, foot + up, q - across / 2, q + across / 2, *lean)
        )
        self.kinds.append(kind)
        self.colours.append(tuple(rgb))

    def car(self, p: float, q: float) -> None:
        rgb = _CAR_RGB[self.rng.integers(len(_CAR_RGB))]
        length, width = self.rng.uniform(3.8, 4.7), self.rng.uniform(1.65, 1.85)
        tall = self.rng.uniform(0.5, 0.62)
        self.box(p, q, (length, 0.62, width), CAR_BODY, rgb, foot=0.25, lean=(0.10, 0.04))
        shift = self.rng.uniform(-0.35, 0.35)
        self.box(
            p + shift, q, (0.68 * length, tall, width - 0.1), CAR_CABIN, rgb, foot=0.87, lean=(0.75, 0.28)
        )
        for end in (-0.32, 0.32):
            self.box(
                p + end * length, q, (0.6, 0.56, width + 0.02), TYRE, (0.025, 0.025, 0.027), lean=(0.04, 0.0)
            )

    def tree(self, p: float, q: float) -> None:
        trunk = self.rng.uniform(0.18, 0.32)
        self.box(p, q, (trunk, 3.4, trunk), BARK, (0.14, 0.11, 0.085), lean=(0.01, 0.01))
        radius = self.rng.uniform(1.2, 2.0)
        self.crowns.append((p, 3.1 + radius * 0.8, q, radius, radius * self.rng.uniform(0.8, 1.1)))

    def furniture(self, p: float, q: float) -> None:
        """Something that stands on pavements."""
        kind = self.rng.integers(6)
        grey = float(self.rng.uniform(0.05, 0.3))
        if kind == 0:
            self.box(p, q, (0.14, 0.95, 0.14), PAINTED, (grey, grey, grey))
        elif kind == 1:
            green = self.rng.random() < 0.5
            rgb = (0.05, 0.13, 0.07) if green else (grey, grey, 0.9 * grey)
            self.box(p, q, (0.5, 1.05, 0.5), PAINTED, rgb, lean=(-0.03, -0.03))
        elif kind == 2:
            self.box(p, q, (0.12, 5.0, 0.12), PAINTED, (0.12, 0.13, 0.13))
            self.box(p, q, (0.26, 0.5, 0.26), PAINTED, (0.10, 0.11, 0.11), lean=(0.12, 0.12))
        elif kind == 3:
            self.box(p, q, (1.7, 0.1, 0.45), SLATS, (0.24, 0.15, 0.08), foot=0.4)
            self.box(p, q + 0.2, (1.7, 0.4, 0.06), SLATS, (0.24, 0.15, 0.08), foot=0.5)
            self.box(p - 0.7, q, (0.08, 0.4, 0.4), PAINTED, (0.05, 0.05, 0.05))
            self.box(p + 0.7, q, (0.08, 0.4, 0.4), PAINTED, (0.05, 0.05, 0.05))
        elif kind == 4:
            self.box(p, q, (1.1, 0.5, 0.6), PAINTED, (0.3, 0.28, 0.26), lean=(-0.06, -0.06))
            self.box(p, q, (1.15, 0.5, 0.7), LEAVES, (0.12, 0.18, 0.07), foot=0.5, lean=(0.1, 0.1))
        else:
            self.box(p, q, (0.75, 1.25, 0.35), PAINTED, (0.26, 0.28, 0.27))


def furnish(builder: Builder, path_q: float, away: float, half: float, wall_q: float, kerb_q: float) -> None:
    """Parked cars beyond the kerb, trees and furniture along it, things against the wall."""
    rng = builder.rng

    # The camera is above (0, 0): nothing may stand right in front of it.
    def clear(p: float, q: float) -> bool:
        return p * p + q * q > 2.2**2

    if rng.random() < 0.75:
        p = -16.0 + rng.uniform(0.0, 4.0)
        while p < 34.0:
            q = kerb_q - away * rng.uniform(1.05, 1.25)
            if rng.random() < 0.62 and p * p + q * q > 4.0**2:
                builder.car(p, q)
            p += rng.uniform(5.0, 6.2)
    for p in np.arange(-10.0, 26.0, rng.uniform(3.2, 6.0)):
        p, q = p + rng.uniform(-1.0, 1.0), kerb_q + away * rng.uniform(0.2, 0.45)
        if not clear(p, q):
            continue
        draw = rng.random()
        if draw < 0.25 and p * p + q * q > 5.0**2:
            builder.tree(p, q)
        elif draw < 0.75:
            builder.furniture(p, q)
    for p in np.arange(-10.0, 26.0, rng.uniform(4.0, 8.0)):
        if rng.random() < 0.45 and abs(wall_q - path_q) > half + 0.8:
            builder.furniture(p + rng.uniform(-1.5, 1.5), wall_q - away * 0.4)


def park_edge(builder: Builder, wall_q: float, away: float) -> None:
    """A hedge or a low wall, with trees behind, instead of houses."""
    rng = builder.rng
    if rng.random() < 0.6:
        tall = rng.uniform(0.9, 2.0)
        builder.box(0.0, wall_q + away * 0.5, (90.0, tall, 0.9), LEAVES, (0.10, 0.15, 0.06), lean=(0.0, 0.06))
    else:
        builder.box(
            0.0, wall_q + away * 0.3, (90.0, rng.uniform(0.6, 1.4), 0.35), BRICKWORK, (0.3, 0.2, 0.15)
        )
    for p in np.arange(-14.0, 26.0, rng.uniform(4.0, 6.5)):
        builder.tree(p + rng.uniform(-1, 1), wall_q + away * rng.uniform(2.0, 5.0))
