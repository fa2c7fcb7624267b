"""Taking out what a camera adds to its embeddings."""

import numpy as np
import torch
import torch.nn.functional as F

from genreid.clustering.cameras import without_camera_mean


def test_each_camera_is_centred_on_its_own_mean() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 6)).astype(np.float32)
    camera_id = rng.choice([2, 5, 9], 40).astype(np.int16)
    expected = np.empty_like(features)
    for i in range(40):
        mean = np.mean([features[j] for j in range(40) if camera_id[j] == camera_id[i]], axis=0)
        expected[i] = (features[i] - mean) / np.linalg.norm(features[i] - mean)
    assert np.allclose(without_camera_mean(torch.from_numpy(features), camera_id), expected, atol=1e-5)


def test_an_offset_of_one_camera_changes_nothing() -> None:
    features = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    camera_id = np.arange(20) % 2
    moved = features + 3 * torch.from_numpy(camera_id)[:, None]
    before, after = without_camera_mean(features, camera_id), without_camera_mean(moved, camera_id)
    assert torch.allclose(before, after, atol=1e-5)


def test_an_image_alone_in_its_camera_stays_as_it_is() -> None:
    features = F.normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    features[4] = features[3]
    centred = without_camera_mean(features, np.array([-1, 0, 0, 2, 2]))
    assert torch.allclose(centred.norm(dim=1), torch.ones(5))
    assert torch.allclose(centred[[0, 3, 4]], features[[0, 3, 4]])
    assert not torch.allclose(centred[1], features[1])
