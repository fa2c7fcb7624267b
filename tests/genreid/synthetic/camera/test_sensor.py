from __future__ import annotations

import numpy as np

from genreid.synthetic.camera.sensor import expose, sample_sensor


def test_noise_depends_on_the_seed_and_not_on_the_picture() -> None:
    sensor = sample_sensor(np.random.default_rng(5))
    grey = np.full((64, 32, 3), 0.4, np.float32)
    dot = grey.copy()
    dot[40:44, 10:14] = 0.8
    first, again = (expose(grey, sensor, 1.0, np.random.default_rng(9)) for _ in range(2))
    other = expose(grey, sensor, 1.0, np.random.default_rng(10))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    with_dot = expose(dot, sensor, 1.0, np.random.default_rng(9))
    assert np.abs(with_dot[:24].astype(int) - first[:24]).max() <= 2
