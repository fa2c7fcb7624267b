from __future__ import annotations

from dataclasses import replace

import numpy as np

from genreid.synthetic.person.wardrobe import sample_identity


def test_people_wear_what_streets_show() -> None:
    people = [sample_identity(4, index, likeness=0.5) for index in range(400)]
    colours = np.array([(person.outer or person.top).rgb for person in people])
    saturation = (colours.max(axis=1) - colours.min(axis=1)) / colours.max(axis=1)
    assert 0.4 < (saturation < 0.25).mean() < 0.85
    assert 0.1 < np.mean([person.bag.kind == "backpack" for person in people]) < 0.4
    assert 0.15 < np.mean([(person.outer or person.top).back is not None for person in people]) < 0.5
    assert 0.02 < np.mean([person.bottom.cut in ("skirt", "dress") for person in people]) < 0.3


def test_many_dress_alike_but_nobody_is_a_double() -> None:
    people = [sample_identity(4, index, likeness=0.6) for index in range(150)]
    looks = np.array([[*(p.outer or p.top).rgb, *p.bottom.rgb] for p in people])
    cuts = [((p.outer or p.top).cut, p.bottom.cut) for p in people]
    distance = np.abs(looks[:, None] - looks[None]).max(axis=2) + np.eye(len(people))
    alike = [
        any(distance[i, j] < 0.09 and cuts[i] == cuts[j] for j in range(len(people)))
        for i in range(len(people))
    ]
    assert np.mean(alike) > 0.4
    assert len({p.betas.tobytes() for p in people}) == len(people)
    assert len({(p.skin, p.head.hair_rgb) for p in people}) == len(people)


def test_an_identity_is_a_function_of_its_number() -> None:
    a, b = sample_identity(4, 11, 0.5), sample_identity(4, 11, 0.5)
    assert np.array_equal(a.betas, b.betas)
    assert replace(a, betas=b.betas) == b
    assert sample_identity(4, 12, 0.5).shoes != a.shoes
