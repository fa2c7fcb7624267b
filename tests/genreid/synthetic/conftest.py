from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.body.body import Body, load_body
from genreid.body.turns import turn_about
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.figure.figure import Figure, build, dress_up
from genreid.synthetic.figure.mannequin import Mannequin, stand
from genreid.synthetic.person.wardrobe import sample_identity
from genreid.synthetic.settings import SyntheticSettings
from tests.genreid.synthetic.people import T_POSE, UP

torch.set_num_threads(1)


def small_settings(**changes: int) -> SyntheticSettings:
    values = {
        "train_identities": 5,
        "val_identities": 2,
        "test_identities": 4,
        "num_cameras": 3,
        "min_images": 4,
        "max_images": 7,
        "height_px": 64,
        "width_px": 32,
    }
    return SyntheticSettings(**(values | changes))


@pytest.fixture(scope="session")
def body() -> Body:
    return load_body()


@pytest.fixture(scope="session")
def mannequin(body: Body) -> Mannequin:
    return stand(body)


@pytest.fixture(scope="session")
def benchmark_64(body: Body) -> Benchmark:
    return Benchmark(body, small_settings(), seed=3)


@pytest.fixture(scope="session")
def figure(mannequin: Mannequin) -> Figure:
    """Somebody in T-pose who faces the camera."""
    root = turn_about(0, 180.0 + np.degrees(0.3))
    return build(mannequin, dress_up(mannequin, sample_identity(1, 2, 0.0)), root, T_POSE, UP, crease_seed=3)
