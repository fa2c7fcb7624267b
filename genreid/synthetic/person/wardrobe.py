"""Who walks past: shape, skin, hair and the clothes that people own.

Clothes follow what streets show: mostly black, greys, navy and denim, now and then a saturated colour. Many
persons dress alike, so a front often fits several people and the back, the bag or the shoes decide.
"""

from __future__ import annotations

import numpy as np

from genreid.body.poses import sample_habit
from genreid.seeding import numpy_rng
from genreid.synthetic.person.dyes import contrast, dye, near
from genreid.synthetic.person.garments import own_copy, sample_bottom, sample_outer, sample_top
from genreid.synthetic.person.identity import RGB, Bag, Head, Identity

_SKIN: tuple[RGB, ...] = (
    (0.88, 0.72, 0.64), (0.84, 0.68, 0.58), (0.80, 0.63, 0.52), (0.74, 0.57, 0.45), (0.64, 0.47, 0.36),
    (0.52, 0.37, 0.28), (0.42, 0.30, 0.24), (0.35, 0.25, 0.20),
)  # fmt: skip
_SKIN_WEIGHT = (0.14, 0.2, 0.2, 0.14, 0.12, 0.08, 0.07, 0.05)
_HAIR: tuple[RGB, ...] = (
    (0.13, 0.12, 0.12), (0.20, 0.16, 0.14), (0.29, 0.21, 0.16), (0.40, 0.29, 0.20), (0.58, 0.46, 0.31),
    (0.70, 0.60, 0.44), (0.48, 0.26, 0.17), (0.55, 0.54, 0.53), (0.74, 0.73, 0.72),
)  # fmt: skip
_HAIR_WEIGHT = (0.28, 0.22, 0.18, 0.11, 0.06, 0.04, 0.03, 0.05, 0.03)


def sample_identity(seed: int, index: int, likeness: float, shape_spread: float = 1.0) -> Identity:
    """Person number `index` of a world.

    Args:
        likeness: share of persons who take cut and colours of top and bottom from one of a few common
            outfits, and differ by the rest.
        shape_spread: standard deviation of the shape coefficients.
    """
    rng = numpy_rng(seed, "identity", index)
    feminine = bool(rng.random() < 0.5)
    clothes = rng
    if rng.random() < likeness:
        clothes = numpy_rng(seed, "outfit", int(rng.integers(20)))
        feminine = bool(clothes.random() < 0.5)
    warm = bool(clothes.random() < 0.45)
    top = sample_top(clothes, feminine, warm)
    outer = sample_outer(clothes) if clothes.random() < (0.62 if warm else 0.22) else None
    bottom = sample_bottom(clothes, feminine, warm)
    if clothes is not rng:
        top, bottom = own_copy(rng, top), own_copy(rng, bottom)
        outer = None if outer is None else own_copy(rng, outer)
    bag = _sample_bag(rng)
    head = _sample_head(rng, feminine)
    in_hand = bag.side if bag.kind in ("tote", "shopping") else 0
    return Identity(
        betas=np.clip(rng.normal(0.0, shape_spread, 10), -2.5, 2.5).astype(np.float32),
        skin=near(rng, _SKIN[rng.choice(len(_SKIN), p=_SKIN_WEIGHT)], 0.025),
        head=head,
        top=top,
        outer=outer,
        bottom=bottom,
        shoes=_shoe_colour(rng),
        soles=(0.85, 0.84, 0.82) if rng.random() < 0.45 else (0.2, 0.19, 0.18),
        socks=dye(rng, 1) if rng.random() < 0.5 else (0.85, 0.85, 0.84),
        boots_m=float(rng.uniform(0.08, 0.3)) if rng.random() < (0.3 if warm else 0.1) else 0.0,
        scarf=dye(rng, 1) if warm and rng.random() < 0.22 else None,
        bag=bag,
        habit=sample_habit(rng, in_hand, bag.kind in ("backpack", "shoulder")),
    )


def _shoe_colour(rng: np.random.Generator) -> RGB:
    shades: tuple[RGB, ...] = (
        (0.16, 0.16, 0.16), (0.88, 0.88, 0.87), (0.35, 0.25, 0.19), (0.45, 0.45, 0.46),
        (0.2, 0.24, 0.38), (0.62, 0.2, 0.2), (0.6, 0.5, 0.38), (0.3, 0.5, 0.6),
    )  # fmt: skip
    return near(rng, shades[rng.choice(8, p=[0.38, 0.24, 0.12, 0.08, 0.07, 0.04, 0.04, 0.03])], 0.02)


def _sample_bag(rng: np.random.Generator) -> Bag:
    kind = ["none", "backpack", "shoulder", "tote", "shopping"][
        rng.choice(5, p=[0.44, 0.25, 0.15, 0.08, 0.08])
    ]
    rgb = dye(rng, 1) if rng.random() < 0.4 else dye(rng, 2)
    if kind == "shopping" and rng.random() < 0.6:
        rgb = near(rng, (0.85, 0.85, 0.83), 0.03)
    return Bag(kind, rgb, contrast(rng, rgb), float(rng.uniform(0.8, 1.15)), int(rng.choice([-1, 1])))


def _sample_head(rng: np.random.Generator, feminine: bool) -> Head:
    styles = ["bald", "buzz", "short", "bob", "long", "ponytail", "bun"]
    weight = [0.0, 0.01, 0.12, 0.2, 0.37, 0.2, 0.1] if feminine else [0.07, 0.19, 0.64, 0.05, 0.04, 0.01, 0.0]
    hat = ["none", "cap", "beanie"][rng.choice(3, p=[0.86, 0.09, 0.05])]
    return Head(
        hair=styles[rng.choice(7, p=weight)],
        hair_rgb=near(rng, _HAIR[rng.choice(9, p=_HAIR_WEIGHT)], 0.015),
        hat=hat,
        hat_rgb=dye(rng, 1),
        beard=0.0 if feminine else float(max(0.0, rng.uniform(-1.0, 0.9))),
        glasses=bool(rng.random() < 0.2),
        headphones=bool(rng.random() < 0.06),
    )
