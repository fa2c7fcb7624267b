"""Proxies against a dictionary."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from genreid.clustering.proxies import Proxies


def test_a_proxy_is_a_pseudo_identity_in_a_camera() -> None:
    rng = np.random.default_rng(0)
    labels, camera_id = rng.integers(-1, 4, 40), rng.integers(3, 6, 40)
    rows = F.normalize(torch.from_numpy(rng.normal(size=(40, 5))).float(), dim=1)
    members: dict[tuple[int, int], list[int]] = {}
    for image, pair in enumerate(zip(labels.tolist(), camera_id.tolist(), strict=True)):
        members.setdefault(pair, []).append(image)
    proxies = Proxies.of(torch.from_numpy(labels), camera_id)
    means = proxies.means(rows)
    assert len(means) == len(proxies.camera) == len([pair for pair in members if pair[0] >= 0])
    for (label, camera), images in members.items():
        places = set(proxies.of_image[images].tolist())
        assert len(places) == 1
        (place,) = places
        if label < 0:
            assert place == -1
            continue
        assert (int(proxies.pseudo_label[place]), int(proxies.camera[place])) == (label, camera)
        torch.testing.assert_close(means[place], F.normalize(rows[images].sum(0), dim=0))
