from __future__ import annotations

import pytest
import torch

from genreid.body.body import Body, load_body
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.mannequin import Mannequin, stand
from genreid.synthetic.settings import SyntheticSettings

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
