"""What people wear: cut, colour, pattern and prints of one garment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genreid.synthetic.person.dyes import DYES, contrast, dye, near
from genreid.synthetic.person.identity import RGB, Garment, Pattern, Print


def sample_top(rng: np.random.Generator, feminine: bool, warm: bool) -> Garment:
    """What is worn on the skin above the waist."""
    cuts = ["tshirt", "shirt", "sweater", "hoodie"]
    weight = [0.2, 0.22, 0.34, 0.24] if warm else [0.62, 0.2, 0.08, 0.1]
    cut = cuts[rng.choice(4, p=weight)]
    rgb = dye(rng, 1)
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
        sleeve_rgb=contrast(rng, rgb) if two_tone else None,
    )


def sample_outer(rng: np.random.Generator) -> Garment:
    """A jacket or coat."""
    cut = ["jacket", "blazer", "puffer", "coat", "hoodie"][rng.choice(5, p=[0.36, 0.14, 0.16, 0.2, 0.14])]
    rgb = dye(rng, 1 if cut != "coat" else 2)
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
        sleeve_rgb=contrast(rng, rgb) if cut in ("jacket", "puffer") and rng.random() < 0.14 else None,
        stripe_rgb=contrast(rng, rgb) if striped else None,
    )


def sample_bottom(rng: np.random.Generator, feminine: bool, warm: bool) -> Garment:
    """What is worn below the waist."""
    cuts = ["jeans", "trousers", "leggings", "shorts", "skirt", "dress"]
    weight = np.array([0.40, 0.34, 0.0, 0.24, 0.0, 0.0])
    if feminine:
        weight = np.array([0.34, 0.16, 0.14, 0.10, 0.16, 0.10])
    if warm:
        weight *= [1.0, 1.0, 1.0, 0.15, 0.6, 0.5]
    cut = cuts[rng.choice(6, p=weight / weight.sum())]
    rgb = dye(rng, 2)
    if cut == "jeans":
        shade = ["denim", "navy", "pale denim", "black", "charcoal"][
            rng.choice(5, p=[0.4, 0.22, 0.16, 0.14, 0.08])
        ]
        rgb = near(rng, DYES[shade][0], 0.022)
    elif cut == "dress":
        rgb = dye(rng, 1)
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
        stripe_rgb=contrast(rng, rgb) if sporty else None,
    )


def own_copy(rng: np.random.Generator, garment: Garment) -> Garment:
    """The same article as others wear: nearly the same dye, prints of one's own, worn one's own way."""
    rgb = near(rng, garment.rgb, 0.012)
    changes: dict[str, object] = {"rgb": rgb}
    if garment.pattern.kind in ("block", "hoops", "checks", "camouflage", "dots") and rng.random() < 0.75:
        # What many people wear is plain.
        changes["pattern"] = replace(garment.pattern, kind="plain")
    if garment.front is not None or (garment.cut == "tshirt" and rng.random() < 0.25):
        changes["front"] = _sample_print(rng, rgb, False) if rng.random() < 0.5 else garment.front
    if garment.cut in ("tshirt", "sweater", "hoodie", "jacket", "puffer"):
        changes["back"] = _sample_print(rng, rgb, True) if rng.random() < 0.45 else None
    return replace(garment, **changes)  # type: ignore[arg-type]


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
    return Pattern(kind, contrast(rng, rgb), float(scale), float(rng.uniform(0.0, 0.1)))


def _sample_print(rng: np.random.Generator, rgb: RGB, back: bool) -> Print:
    kinds = ["disc", "bar", "words", "number", "chevron", "picture"]
    weight = [0.1, 0.14, 0.26, 0.2 if back else 0.1, 0.1, 0.3]
    return Print(
        kind=kinds[rng.choice(6, p=np.array(weight) / sum(weight))],
        rgb=contrast(rng, rgb),
        rgb2=contrast(rng, rgb),
        size_m=float(rng.uniform(0.10, 0.15 if not back else 0.17)),
        y_m=float(rng.uniform(0.20, 0.28)),
        seed=int(rng.integers(1 << 30)),
    )
