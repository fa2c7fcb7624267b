"""What training keeps of similarities: the curves of its encoder, by the clusters that it learnt from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from genreid.clustering.cameras import without_camera_mean
from genreid.clustering.pseudo_labels import PseudoLabels
from genreid.data.transforms import normalise
from genreid.evaluation.matches import MatchCurve, match_curve
from genreid.models.initialisation import build_encoder
from genreid.progress import Silent
from stages.shared.matches import LastLabels, curves_from, estimated_matches
from tests.genreid.models.small import ENCODER

LABELS = np.array([0, 0, 0, -1, 1, 1, 1, 2, 2, -1, 0, 2])


class Pictures:
    """Twelve pictures of noise, of cameras 1 to `num_cameras`."""

    def __init__(self, num_cameras: int = 3) -> None:
        self.camera_id = 1 + np.arange(12) % num_cameras
        self.image_id = [str(number) for number in range(12)]
        self.pixels = np.random.default_rng(1).integers(0, 256, (12, 48, 24, 3), np.uint8)

    def load(self, index: np.ndarray) -> np.ndarray:
        return self.pixels[index]


def run() -> Any:
    settings = SimpleNamespace(seed=1, embed_batch_size=5)
    return SimpleNamespace(settings=settings, device=torch.device("cpu"), tracker=Silent())


def test_curves_are_those_of_clustered_images() -> None:
    encoder, images = build_encoder(ENCODER, 1).train(), Pictures()
    plain = estimated_matches(run(), encoder, images, PseudoLabels(LABELS))  # type: ignore[arg-type]
    assert encoder.training, "it is left as it was"
    found = curves_from(plain, "joint.pt", "train it again")
    encoder.eval()
    clustered = np.flatnonzero(LABELS >= 0)
    of_clustered = LABELS[clustered], images.camera_id[clustered]
    with torch.no_grad():
        image, mirrored = (
            encoder(normalise(pixels[clustered])).embedding
            for pixels in (images.pixels, images.pixels[:, :, ::-1])
        )
    rows = {"image": image, "mirror": torch.nn.functional.normalize(image + mirrored, dim=1)}
    rows |= {f"{way} centred": without_camera_mean(one, of_clustered[1]) for way, one in rows.items()}
    assert sorted(found) == sorted(rows)
    for name, one in rows.items():
        expected = match_curve(one.numpy(), *of_clustered, "pseudo-identities", seed=1)
        assert expected is not None and found[name].source == "pseudo-identities"
        assert found[name].num_same == expected.num_same
        assert found[name].num_different == expected.num_different
        for rate in ("false_match_rate", "miss_rate"):
            # an embedding of another batch may differ in its last bits, and cross a cut
            np.testing.assert_allclose(getattr(found[name], rate), getattr(expected, rate), atol=0.1)


def test_one_camera_has_no_mean_to_take_off() -> None:
    encoder, images = build_encoder(ENCODER, 1), Pictures(num_cameras=1)
    found = estimated_matches(run(), encoder, images, PseudoLabels(LABELS))  # type: ignore[arg-type]
    assert found is not None and sorted(found) == ["image", "mirror"]


def test_without_clusters_nothing_is_estimated() -> None:
    encoder, images = build_encoder(ENCODER, 1), Pictures()
    for labels in (None, PseudoLabels(np.full(12, -1)), PseudoLabels(np.zeros(12, np.int64))):
        assert estimated_matches(run(), encoder, images, labels) is None  # type: ignore[arg-type]


def test_the_labels_of_the_last_epoch_are_kept() -> None:
    kept = LastLabels(lambda labels: {"ari": float(labels.num_clusters)})
    assert kept.labels is None
    for labels in (PseudoLabels(np.zeros(3, np.int64)), PseudoLabels(np.arange(3))):
        assert kept(labels) == {"ari": labels.num_clusters}
        assert kept.labels is labels


def test_a_curve_survives_its_file() -> None:
    curve = MatchCurve("identities", 3, 4, (1.0,) + (0.0,) * 400, (0.0,) * 400 + (1.0,))
    assert curves_from({"image": curve.as_plain()}, "a.pt", "train it again") == {"image": curve}
    assert curves_from(None, "a.pt", "train it again") == {}
