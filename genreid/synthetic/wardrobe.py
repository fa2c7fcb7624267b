"""Who walks past: shape, skin, hair and the clothes that people own.

Clothes follow what streets show: mostly black, greys, navy and denim, now and then a saturated colour. Many
persons dress alike, so a front often fits several people and the back, the bag or the shoes decide.
Colours are RGB in [0, 1], square roots of reflectance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genreid.seeding import numpy_rng
from genreid.synthetic.identity import RGB, Bag, Garment, Head, Identity, Pattern, Print
from genreid.synthetic.poses import sample_habit

_CLOTH: dict[str, tuple[RGB, float, float]] = {
    # name: colour, weight among tops, weight among trousers and skirts
    "black": ((0.17, 0.17, 0.18), 0.20, 0.25),
    "charcoal": ((0.28, 0.28, 0.30), 0.10, 0.11),
    "navy": ((0.17, 0.19, 0.28), 0.12, 0.10),
    "grey": ((0.52, 0.52, 0.53), 0.09, 0.07),
    "light grey": ((0.70, 0.70, 0.70), 0.05, 0.02),
    "white": ((0.88, 0.88, 0.87), 0.12, 0.02),
    "denim": ((0.31, 0.37, 0.47), 0.04, 0.20),
    "pale denim": ((0.52, 0.58, 0.66), 0.02, 0.06),
    "blue": ((0.22, 0.34, 0.57), 0.05, 0.01),
    "light blue": ((0.60, 0.72, 0.84), 0.04, 0.0),
    "beige": ((0.74, 0.66, 0.54), 0.05, 0.07),
    "brown": ((0.40, 0.30, 0.24), 0.03, 0.03),
    "olive": ((0.36, 0.37, 0.26), 0.05, 0.03),
    "green": ((0.18, 0.42, 0.30), 0.02, 0.005),
    "red": ((0.68, 0.16, 0.17), 0.05, 0.01),
    "burgundy": ((0.40, 0.14, 0.20), 0.03, 0.01),
    "pink": ((0.86, 0.62, 0.66), 0.025, 0.005),
    "yellow": ((0.85, 0.72, 0.25), 0.015, 0.0),
    "orange": ((0.84, 0.45, 0.18), 0.01, 0.0),
    "purple": ((0.42, 0.30, 0.52), 0.015, 0.0),
    "teal": ((0.16, 0.46, 0.50), 0.015, 0.0),
}
_SKIN: tuple[RGB, ...] = (
    (0.88, 0.72, 0.64),
    (0.84, 0.68, 0.58),
    (0.80, 0.63, 0.52),
    (0.74, 0.57, 0.45),
    (0.64, 0.47, 0.36),
    (0.52, 0.37, 0.28),
    (0.42, 0.30, 0.24),
    (0.35, 0.25, 0.20),
)
_SKIN_WEIGHT = (0.14, 0.2, 0.2, 0.14, 0.12, 0.08, 0.07, 0.05)
_HAIR: tuple[RGB, ...] = (
    (0.13, 0.12, 0.12),
    (0.20, 0.16, 0.14),
    (0.29, 0.21, 0.16),
    (0.40, 0.29, 0.20),
    (0.58, 0.46, 0.31),
    (0.70, 0.60, 0.44),
    (0.48, 0.26, 0.17),
    (0.55, 0.54, 0.53),
    (0.74, 0.73, 0.72),
)
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
    top = _sample_top(clothes, feminine, warm)
    outer = _sample_outer(clothes) if clothes.random() < (0.62 if warm else 0.22) else None
    bottom = _sample_bottom(clothes, feminine, warm)
    if clothes is not rng:
        top, bottom = _own_copy(rng, top), _own_copy(rng, bottom)
        outer = None if outer is None else _own_copy(rng, outer)
    bag = _sample_bag(rng)
    head = _sample_head(rng, feminine)
    in_hand = bag.side if bag.kind in ("tote", "shopping") else 0
    return Identity(
        betas=np.clip(rng.normal(0.0, shape_spread, 10), -2.5, 2.5).astype(np.float32),
        skin=_near(rng, _SKIN[rng.choice(len(_SKIN), p=_SKIN_WEIGHT)], 0.025),
        head=head,
        top=top,
        outer=outer,
        bottom=bottom,
        shoes=_shoe_colour(rng),
        soles=(0.85, 0.84, 0.82) if rng.random() < 0.45 else (0.2, 0.19, 0.18),
        socks=_cloth(rng, 1) if rng.random() < 0.5 else (0.85, 0.85, 0.84),
        boots_m=float(rng.uniform(0.08, 0.3)) if rng.random() < (0.3 if warm else 0.1) else 0.0,
        scarf=_cloth(rng, 1) if warm and rng.random() < 0.22 else None,
        bag=bag,
        habit=sample_habit(rng, in_hand, bag.kind in ("backpack", "shoulder")),
        seed=int(rng.integers(1 << 30)),
    )


def _near(rng: np.random.Generator, rgb: RGB, spread: float) -> RGB:
    """A colour near another one: the same dye, more or less washed."""
    value = np.clip(
        np.array(rgb) * np.exp(rng.normal(0.0, 2.2 * spread)) + rng.normal(0.0, spread, 3), 0.11, 0.93
    )
    return float(value[0]), float(value[1]), float(value[2])


def _cloth(rng: np.random.Generator, place: int) -> RGB:
    """A colour of tops (place 1) or of trousers and skirts (place 2)."""
    names = list(_CLOTH)
    weight = np.array([_CLOTH[name][place] for name in names])
    return _near(rng, _CLOTH[names[rng.choice(len(names), p=weight / weight.sum())]][0], 0.02)


def _contrast(rng: np.random.Generator, rgb: RGB) -> RGB:
    """Another colour that can be told from `rgb`."""
    for _ in range(8):
        other = _cloth(rng, 1)
        if np.abs(np.array(other) - rgb).max() > 0.22:
            return other
    return (0.9, 0.9, 0.88) if rgb[1] < 0.5 else (0.15, 0.15, 0.17)


def _sample_pattern(rng: np.random.Generator, rgb: RGB, chances: dict[str, float]) -> Pattern:
    kinds = list(chances)
    weight = np.array([chances[kind] for kind in kinds])
    kind = kinds[rng.choice(len(kinds), p=weight / weight.sum())]
    scale = {
        "hoops": rng.uniform(0.03, 0.1),
        "checks": rng.uniform(0.05, 0.1),
        "block": rng.uniform(0.1, 0.24),
        "pinstripes": rng.uniform(0.03, 0.05),
        "dots": rng.uniform(0.05, 0.08),
        "camouflage": rng.uniform(0.07, 0.12),
    }.get(kind, 0.1)
    return Pattern(kind, _contrast(rng, rgb), float(scale), float(rng.uniform(0.0, 0.1)))


def _sample_print(rng: np.random.Generator, rgb: RGB, back: bool) -> Print:
    kinds = ["disc", "bar", "words", "number", "chevron", "picture"]
    weight = [0.1, 0.14, 0.26, 0.2 if back else 0.1, 0.1, 0.3]
    return Print(
        kind=kinds[rng.choice(6, p=np.array(weight) / sum(weight))],
        rgb=_contrast(rng, rgb),
        rgb2=_contrast(rng, rgb),
        size_m=float(rng.uniform(0.10, 0.15 if not back else 0.17)),
        y_m=float(rng.uniform(0.20, 0.28)),
        seed=int(rng.integers(1 << 30)),
    )


def _sample_top(rng: np.random.Generator, feminine: bool, warm: bool) -> Garment:
    """What is worn on the skin above the waist."""
    cuts = ["tshirt", "shirt", "sweater", "hoodie"]
    weight = [0.2, 0.22, 0.34, 0.24] if warm else [0.62, 0.2, 0.08, 0.1]
    cut = cuts[rng.choice(4, p=weight)]
    rgb = _cloth(rng, 1)
    chances = {
        "tshirt": {
            "plain": 0.62,
            "hoops": 0.16,
            "block": 0.1,
            "dots": 0.04,
            "camouflage": 0.04,
            "pinstripes": 0.04,
        },
        "shirt": {"plain": 0.5, "checks": 0.3, "pinstripes": 0.16, "dots": 0.04},
        "sweater": {"plain": 0.66, "hoops": 0.2, "block": 0.14},
        "hoodie": {"plain": 0.8, "block": 0.2},
    }[cut]
    sleeve = {
        "tshirt": rng.choice([0.0, 0.36, 0.42, 1.0], p=[0.12, 0.4, 0.36, 0.12]),
        "shirt": rng.choice([0.4, 0.7, 1.0], p=[0.3, 0.2, 0.5]),
    }.get(cut, 1.0)
    printable = cut in ("tshirt", "sweater", "hoodie")
    two_tone = printable and rng.random() < 0.14
    return Garment(
        cut=cut,
        rgb=rgb,
        pattern=_sample_pattern(rng, rgb, chances),
        sleeve=float(sleeve),
        hem_m=float(rng.uniform(-0.115, -0.02)),
        ease_m={"tshirt": 0.011, "shirt": 0.012, "sweater": 0.016}.get(cut, 0.021),
        collar={"shirt": "shirt", "hoodie": "hood"}.get(
            cut, str(rng.choice(["crew", "vee", "scoop"] if feminine else ["crew", "crew", "vee"]))
        ),
        front=_sample_print(rng, rgb, False) if printable and rng.random() < 0.34 else None,
        back=_sample_print(rng, rgb, True) if printable and rng.random() < 0.3 else None,
        sleeve_rgb=_contrast(rng, rgb) if two_tone else None,
    )


def _sample_outer(rng: np.random.Generator) -> Garment:
    """A jacket or coat."""
    cut = ["jacket", "blazer", "puffer", "coat", "hoodie"][rng.choice(5, p=[0.36, 0.14, 0.16, 0.2, 0.14])]
    rgb = _cloth(rng, 1 if cut != "coat" else 2)
    hem = {"coat": rng.uniform(-0.55, -0.26), "blazer": rng.uniform(-0.15, -0.11)}.get(
        cut, rng.uniform(-0.11, -0.03)
    )
    is_open = rng.random() < {"puffer": 0.25, "coat": 0.35}.get(cut, 0.5)
    striped = cut in ("jacket", "hoodie") and rng.random() < 0.18
    return Garment(
        cut=cut,
        rgb=rgb,
        pattern=_sample_pattern(
            rng, rgb, {"plain": 0.84, "block": 0.12 if cut in ("jacket", "puffer") else 0.01, "checks": 0.04}
        ),
        sleeve=1.0,
        hem_m=float(hem),
        ease_m={"puffer": 0.042, "coat": 0.027, "blazer": 0.02}.get(cut, 0.025),
        flare=float(rng.uniform(0.02, 0.08)),
        open_m=float(rng.uniform(0.03, 0.085)) if is_open else 0.0,
        collar={"hoodie": "hood", "blazer": "lapel", "coat": "lapel"}.get(
            cut, str(rng.choice(["stand", "hood"], p=[0.7, 0.3]))
        ),
        back=_sample_print(rng, rgb, True)
        if cut in ("jacket", "hoodie", "puffer") and rng.random() < 0.34
        else None,
        sleeve_rgb=_contrast(rng, rgb) if cut in ("jacket", "puffer") and rng.random() < 0.14 else None,
        stripe_rgb=_contrast(rng, rgb) if striped else None,
    )


def _sample_bottom(rng: np.random.Generator, feminine: bool, warm: bool) -> Garment:
    """What is worn below the waist."""
    cuts = ["jeans", "trousers", "leggings", "shorts", "skirt", "dress"]
    weight = np.array([0.40, 0.34, 0.0, 0.24, 0.0, 0.0])
    if feminine:
        weight = np.array([0.34, 0.16, 0.14, 0.10, 0.16, 0.10])
    if warm:
        weight *= [1.0, 1.0, 1.0, 0.15, 0.6, 0.5]
    cut = cuts[rng.choice(6, p=weight / weight.sum())]
    rgb = _cloth(rng, 2)
    if cut == "jeans":
        shade = ["denim", "navy", "pale denim", "black", "charcoal"][
            rng.choice(5, p=[0.4, 0.22, 0.16, 0.14, 0.08])
        ]
        rgb = _near(rng, _CLOTH[shade][0], 0.022)
    elif cut == "dress":
        rgb = _cloth(rng, 1)
    hem = {
        "shorts": rng.uniform(-0.42, -0.24),
        "skirt": rng.uniform(-0.72, -0.28),
        "dress": rng.uniform(-0.74, -0.34),
    }.get(cut, -0.86)
    chances = (
        {"plain": 0.66, "dots": 0.12, "hoops": 0.08, "checks": 0.08, "camouflage": 0.06}
        if cut in ("skirt", "dress")
        else {"plain": 0.93, "camouflage": 0.03, "checks": 0.04}
    )
    sporty = cut == "trousers" and rng.random() < 0.2
    return Garment(
        cut=cut,
        rgb=rgb,
        pattern=_sample_pattern(rng, rgb, chances),
        sleeve=float(rng.choice([0.0, 0.3])),
        hem_m=float(hem),
        ease_m={"leggings": 0.004, "jeans": float(rng.uniform(0.008, 0.02)), "shorts": 0.022}.get(
            cut, float(rng.uniform(0.012, 0.03))
        ),
        flare=float(rng.uniform(0.02, 0.2)),
        stripe_rgb=_contrast(rng, rgb) if sporty else None,
    )


def _own_copy(rng: np.random.Generator, garment: Garment) -> Garment:
    """The same article as others wear: nearly the same dye, prints of one's own, worn one's own way."""
    rgb = _near(rng, garment.rgb, 0.012)
    changes: dict[str, object] = {"rgb": rgb}
    if garment.pattern.kind in ("block", "hoops", "checks", "camouflage", "dots") and rng.random() < 0.75:
        # What many people wear is plain.
        changes["pattern"] = replace(garment.pattern, kind="plain")
    if garment.front is not None or (garment.cut == "tshirt" and rng.random() < 0.25):
        changes["front"] = _sample_print(rng, rgb, False) if rng.random() < 0.5 else garment.front
    if garment.cut in ("tshirt", "sweater", "hoodie", "jacket", "puffer"):
        changes["back"] = _sample_print(rng, rgb, True) if rng.random() < 0.45 else None
    return replace(garment, **changes)  # type: ignore[arg-type]


def _shoe_colour(rng: np.random.Generator) -> RGB:
    shades: tuple[RGB, ...] = (
        (0.16, 0.16, 0.16),
        (0.88, 0.88, 0.87),
        (0.35, 0.25, 0.19),
        (0.45, 0.45, 0.46),
        (0.2, 0.24, 0.38),
        (0.62, 0.2, 0.2),
        (0.6, 0.5, 0.38),
        (0.3, 0.5, 0.6),
    )
    return _near(rng, shades[rng.choice(8, p=[0.38, 0.24, 0.12, 0.08, 0.07, 0.04, 0.04, 0.03])], 0.02)


def _sample_bag(rng: np.random.Generator) -> Bag:
    kind = ["none", "backpack", "shoulder", "tote", "shopping"][
        rng.choice(5, p=[0.44, 0.25, 0.15, 0.08, 0.08])
    ]
    rgb = _cloth(rng, 1) if rng.random() < 0.4 else _cloth(rng, 2)
    if kind == "shopping" and rng.random() < 0.6:
        rgb = _near(rng, (0.85, 0.85, 0.83), 0.03)
    return Bag(kind, rgb, _contrast(rng, rgb), float(rng.uniform(0.8, 1.15)), int(rng.choice([-1, 1])))


def _sample_head(rng: np.random.Generator, feminine: bool) -> Head:
    styles = ["bald", "buzz", "short", "bob", "long", "ponytail", "bun"]
    weight = [0.0, 0.01, 0.12, 0.2, 0.37, 0.2, 0.1] if feminine else [0.07, 0.19, 0.64, 0.05, 0.04, 0.01, 0.0]
    hat = ["none", "cap", "beanie"][rng.choice(3, p=[0.86, 0.09, 0.05])]
    return Head(
        hair=styles[rng.choice(7, p=weight)],
        hair_rgb=_near(rng, _HAIR[rng.choice(9, p=_HAIR_WEIGHT)], 0.015),
        hat=hat,
        hat_rgb=_cloth(rng, 1),
        beard=0.0 if feminine else float(max(0.0, rng.uniform(-1.0, 0.9))),
        glasses=bool(rng.random() < 0.2),
        headphones=bool(rng.random() < 0.06),
    )
