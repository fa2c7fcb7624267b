"""What makes a person the same person in every picture: shape, skin, hair, clothes and bags.

Colours are RGB in [0, 1], square roots of reflectance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.body.poses import Habit

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Pattern:
    """What is woven into a cloth: kind plain, hoops, pinstripes, checks, block, dots or camouflage."""

    kind: str
    rgb: RGB
    scale_m: float
    offset_m: float


@dataclass(frozen=True)
class Print:
    """What is printed on a chest or a back: kind disc, bar, words, number, chevron or picture."""

    kind: str
    rgb: RGB
    rgb2: RGB
    size_m: float
    y_m: float
    seed: int


@dataclass(frozen=True)
class Garment:
    """One piece of clothing.

    Attributes:
        cut: tshirt, shirt, sweater, hoodie, jacket, puffer, coat, blazer; trousers, jeans, leggings, shorts,
            skirt, dress.
        sleeve: 0 none, 1 to the wrist.  hem_m: height of the lower edge above the pelvis.
        ease_m: how far it stands off the body.  flare: widening of a skirt or coat tail towards its hem.
        open_m: half width of the opening in front (0 closed).
        front, back: prints, or None.  sleeve_rgb: where sleeves differ.
        stripe_rgb: of the seams at the sides, or None.
    """

    cut: str
    rgb: RGB
    pattern: Pattern
    sleeve: float
    hem_m: float
    ease_m: float
    flare: float = 0.0
    open_m: float = 0.0
    collar: str = "crew"
    front: Print | None = None
    back: Print | None = None
    sleeve_rgb: RGB | None = None
    stripe_rgb: RGB | None = None


@dataclass(frozen=True)
class Bag:
    """kind none, backpack, shoulder (strap across), tote (in the hand), shopping (in the hand); side ±1."""

    kind: str
    rgb: RGB
    rgb2: RGB
    size: float
    side: int


@dataclass(frozen=True)
class Head:
    """Hair: bald, buzz, short, bob, long, ponytail, bun. Hat: none, cap, beanie, hood."""

    hair: str
    hair_rgb: RGB
    hat: str
    hat_rgb: RGB
    beard: float
    glasses: bool
    headphones: bool


@dataclass(frozen=True)
class Identity:
    """A person: everything that stays the same from camera to camera.

    Attributes:
        betas: (10,) float32 shape of the body.
        skin: colour.  top: what is worn on the skin.  outer: over it, or None.  bottom: below the waist.
        shoes, soles, socks: colours.  boots_m: how high shoes reach above the ankle.
        scarf: colour or None.  habit: how the person walks.
    """

    betas: np.ndarray
    skin: RGB
    head: Head
    top: Garment
    outer: Garment | None
    bottom: Garment
    shoes: RGB
    soles: RGB
    socks: RGB
    boots_m: float
    scarf: RGB | None
    bag: Bag
    habit: Habit
