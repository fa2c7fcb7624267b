"""The feed's memory of decoded views."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.training import feed as module
from genreid.training.feed import Feed

from .conftest import CPU, Boxes, BoxViews


class CountedViews(BoxViews):
    """Counts what is decoded."""

    decoded = 0

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        self.decoded += 1
        return super().load(image_id, yaw_deg)


@pytest.mark.parametrize(("room_for", "decoded"), [(8, 8), (5, 8 + 3), (0, 8 + 8)])
def test_views_are_kept_while_there_is_room(
    boxes: Boxes, monkeypatch: pytest.MonkeyPatch, room_for: int, decoded: int
) -> None:
    """Four images, each with its own and a rotated view, twice: what did not fit is decoded again."""
    size = boxes.images.height_px * boxes.images.width_px
    monkeypatch.setattr(module, "_CACHE_BYTES", room_for * size + size // 2)
    views = CountedViews(boxes.images.image_id)
    feed = Feed(boxes.images, views, CPU)  # type: ignore[arg-type]
    index, yaw_deg = np.arange(4), np.full(4, 90, np.int16)
    first, second = (feed.batch_at(index, yaw_deg) for _ in range(2))
    assert views.decoded == decoded
    assert torch.equal(first.mesh_rotated, second.mesh_rotated) and torch.equal(first.mesh, second.mesh)
    assert not torch.equal(first.mesh, first.mesh_rotated)
