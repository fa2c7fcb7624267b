"""How long training will take: what is multiplied by hand, and a network that is timed and stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from genreid.models.initialisation import build_encoder
from genreid.training.expected import Speed, duration, joint_seconds, warm_up_seconds
from tests.genreid.training.test_joint import SETTINGS as JOINT
from tests.genreid.training.test_warm_up import SETTINGS as WARM_UP

from .conftest import CPU, ENCODER
from .harness import same, weights

SPEED = Speed(looking=1.0, learning=1000.0)


def test_a_warm_up_by_hand() -> None:
    """Three epochs that look at 36 images, and learn from 4 batches of 3 × 4."""
    assert warm_up_seconds(WARM_UP, 36, SPEED) == 3 * (36 + 4 * 3 * 4 * 1000)


@pytest.mark.parametrize(
    ("views", "mixup", "cluster_views", "looked", "learnt"),
    [("none", "none", "none", 1, 1), ("warped", "none", "mirror", 2, 2), ("warped", "body", "turned", 4, 3)],
)
def test_joint_training_by_hand(views: Any, mixup: Any, cluster_views: Any, looked: int, learnt: int) -> None:
    contrast = replace(JOINT.contrast, views=views, mixup=mixup, background="own", camera_colours=False)
    settings = replace(
        JOINT,
        contrast=contrast,
        cluster_on="fresh",
        cluster_views=cluster_views,
        epochs=5,
        steps_per_epoch=7,
        batch_size=2,
    )
    assert joint_seconds(settings, 100, SPEED) == 5 * (100 * looked + 7 * 2 * learnt * 1000)
    painted = replace(settings, contrast=replace(contrast, views="generated"))
    assert joint_seconds(painted, 100, SPEED) is None


def test_a_network_is_timed_and_stays_as_it_is() -> None:
    encoder = build_encoder(ENCODER, 0).train()
    before = weights(encoder)
    small, large = (Speed.of(encoder, size, CPU) for size in ((64, 32), (256, 128)))
    assert same(weights(encoder), before) and encoder.training
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert 0 < small.looking < large.looking and small.learning < large.learning


def test_durations_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (7.2, 90, 3000, 9000)] == [
        "7 seconds",
        "2 minutes",
        "50 minutes",
        "2.5 hours",
    ]
