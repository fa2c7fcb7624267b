"""What is clustered: means over an image and views of it, kept piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from genreid.clustering.memory import cluster_means
from genreid.data.transforms import normalise
from genreid.models.encoder import IdentityEncoder
from genreid.models.initialisation import build_encoder
from genreid.progress import Forgetful, Silent
from genreid.training.features import Features
from genreid.training.run import Run
from genreid.training.settings.joint import ClusterViews

from .conftest import CPU, ENCODER, Boxes
from .harness import Recorder

SIZE = 10  # pieces of 36 images


class Counted(Silent):
    """What was shown."""

    def __init__(self) -> None:
        self.totals: list[Any] = []

    def track(self, items: Any, description: str, total: int | None = None) -> Any:
        self.totals.append((description, total))
        return iter(items)


def features(boxes: Boxes, encoder: IdentityEncoder, checkpoints: Any = None) -> Features:
    kept = checkpoints or Forgetful()
    return Features(encoder, boxes.images, boxes.loader, SIZE, CPU, kept, Counted())


def naive(boxes: Boxes, encoder: IdentityEncoder, views: str) -> torch.Tensor:
    """Image by image, picture by picture."""
    rows = []
    encoder.eval()
    for position in range(len(boxes.images)):
        one = np.array([position])
        pictures = [boxes.images.load(one)[0]]
        if views == "mirror":
            pictures.append(np.fliplr(pictures[0]))
        elif views == "turned":
            pictures += [boxes.loader.turned(one, np.array([yaw_deg]))[0] for yaw_deg in (90, 180, 270)]
        with torch.no_grad():
            seen = [encoder(normalise(picture[None])).embedding[0].numpy() for picture in pictures]
        mean = np.mean([row / np.linalg.norm(row) for row in seen], axis=0)
        rows.append(torch.from_numpy(mean / np.linalg.norm(mean)))
    return torch.stack(rows)


@pytest.mark.parametrize("views", ["none", "mirror", "turned"])
def test_features_and_prototypes_are_means_over_views(boxes: Boxes, views: Any) -> None:
    encoder = build_encoder(ENCODER, 0).train()
    found = features(boxes, encoder).of(Run(1, 1), views)[:, 0]
    assert encoder.training
    expected = naive(boxes, encoder, views)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    labels = torch.from_numpy(boxes.person_id - 1).clone()
    labels[::7] = -1
    prototypes = cluster_means(found, labels)
    for person in range(6):
        mean = expected[labels == person].mean(0)
        torch.testing.assert_close(prototypes[person], mean / mean.norm(), atol=1e-5, rtol=0)


def test_rows_of_every_turned_view(boxes: Boxes) -> None:
    """Their mean is that of `turned`; the first is the image, and who has no mesh is four times alike."""
    embedder = features(boxes, build_encoder(ENCODER, 0))
    rows = embedder.of(Run(1, 1), "turned_rows")
    assert rows.shape[:2] == (len(boxes.images), 4)
    mean = rows.mean(1)
    mean_row = embedder.of(Run(1, 1), "turned")[:, 0]
    torch.testing.assert_close(mean / mean.norm(dim=1, keepdim=True), mean_row, atol=1e-6, rtol=0)
    own = embedder.of(Run(1, 1), "none")[:, 0]
    torch.testing.assert_close(rows[:, 0], own, atol=1e-6, rtol=0)
    torch.testing.assert_close(rows[-1], own[-1].expand(4, -1), atol=1e-6, rtol=0)


def test_views_say_something_and_who_has_no_mesh_stays(boxes: Boxes) -> None:
    embedder = features(boxes, build_encoder(ENCODER, 0))
    names: tuple[ClusterViews, ...] = ("none", "mirror", "turned")
    own, mirror, turned = (embedder.of(Run(1, 1), views)[:, 0] for views in names)
    apart = [1 - (own * others).sum(1) for others in (mirror, turned)]
    assert apart[0].min() > 1e-5 and apart[1][:-1].min() > 1e-5
    torch.testing.assert_close(turned[-1], own[-1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("views", ["turned", "turned_rows"])
def test_a_kill_loses_no_piece_that_was_kept(boxes: Boxes, views: Any) -> None:
    encoder, recorder, run = build_encoder(ENCODER, 0), Recorder(), Run(1, 1)
    whole = features(boxes, encoder, recorder).of(run, views)
    assert len(recorder.states) == 4
    for done, state in enumerate(recorder.states, start=1):
        resumed = Run(1, 1)
        resumed.resume(Recorder(state), Silent(), "")
        again = features(boxes, encoder)
        assert torch.equal(again.of(resumed, views), whole)
        assert again.progress.totals == [("embedding", 4 - done)]  # type: ignore[attr-defined]
