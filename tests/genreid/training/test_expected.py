"""How long training will take: what is multiplied by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genreid.models.speed import Speed
from genreid.training.expected import Pace, joint_seconds, warm_up_seconds
from genreid.warping.speed import Turning
from tests.genreid.training.test_joint import SETTINGS as JOINT
from tests.genreid.training.test_warm_up import SETTINGS as WARM_UP

LOOK, LEARN, PAIR, PERSON, VIEW = 1, 10**4, 10**8, 10**14, 10**18
PACE = Pace(Speed(LOOK, LEARN), PAIR, Turning(PERSON, VIEW))


class Hundred(SimpleNamespace):
    def __len__(self) -> int:
        return 100


IMAGES: Any = Hundred(load=None)
LOADER: Any = SimpleNamespace(turned=len, with_mesh=np.arange(80), yaws_deg=np.array([45, 90, 180, 270]))


def test_a_warm_up_by_hand() -> None:
    """Three epochs that look at 36 images, cluster them, and learn from 4 batches of 3 × 4."""
    assert warm_up_seconds(WARM_UP, 36, PACE) == 3 * (36 * LOOK + 36**2 * PAIR + 4 * 3 * 4 * LEARN)


# Five epochs of seven steps of two images make 70 of each kind; 80 of 100 images have a body.
@pytest.mark.parametrize(
    ("views", "mixup", "cluster_views", "memory_of", "seconds"),
    [
        ("none", "none", "none", "image", 5 * 100 * LOOK + 70 * LEARN + 5 * 100**2 * PAIR),
        (
            "warped",
            "none",
            "mirror",
            "image",
            # The first memory is of the images alone.
            (5 * 200 + 100) * LOOK + 140 * LEARN + 5 * 100**2 * PAIR + 70 * PERSON + 70 * VIEW,
        ),
        (
            "warped",
            "body",
            "turned",
            "views",
            # 80 × 3 + 70 views are within the 80 × 4 that there are; a mixture shows two persons.
            5 * 400 * LOOK + 210 * LEARN + 5 * 100**2 * PAIR + 80 * PERSON + (80 * 3 + 70 + 2 * 70) * VIEW,
        ),
        (
            "augmented",
            "mixup",
            "turned_rows",
            "image",
            (5 * 400 + 100) * LOOK + 210 * LEARN + 5 * 400**2 * PAIR + 80 * PERSON + 240 * VIEW,
        ),
    ],
)
def test_joint_training_by_hand(
    views: Any, mixup: Any, cluster_views: Any, memory_of: Any, seconds: int
) -> None:
    contrast = replace(
        JOINT.contrast,
        views=views,
        mixup=mixup,
        background="own",
        camera_colours=False,
        memory_of=memory_of,
    )
    settings = replace(
        JOINT,
        contrast=contrast,
        cluster_on="fresh",
        cluster_views=cluster_views,
        epochs=5,
        steps_per_epoch=7,
        batch_size=2,
    )
    assert joint_seconds(settings, IMAGES, LOADER, PACE) == seconds


def test_no_view_is_counted_twice_and_no_time_for_none() -> None:
    """More steps than there are views, clustered on a memory that is filled once."""
    contrast = replace(JOINT.contrast, views="warped", mixup="none", background="own", camera_colours=False)
    settings = replace(
        JOINT,
        contrast=contrast,
        cluster_on="memory",
        cluster_views="none",
        epochs=5,
        steps_per_epoch=1000,
        batch_size=2,
    )
    seconds = 100 * LOOK + 20_000 * LEARN + 5 * 100**2 * PAIR
    turned = 80 * PERSON + 80 * 4 * VIEW
    assert joint_seconds(settings, IMAGES, LOADER, PACE) == seconds + turned
    assert joint_seconds(settings, IMAGES, LOADER, replace(PACE, turning=None)) == seconds
