"""What clustering looks at: the images, or, beyond the paper, each image and further views of its person.

Turned views show a person as other images of that person do, so their mean says less of the side that an
image happens to show. Embedding all of that takes minutes with many images, so it is kept piece by piece.

Shapes: N images, R pictures of each, D embedding width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from genreid.data.images import ImageSet
from genreid.data.settings import WayName
from genreid.data.ways import Look, looks
from genreid.models.embedding import embed, embed_mean
from genreid.models.encoder import IdentityEncoder
from genreid.progress import Checkpoints, Progress, Silent
from genreid.training.loader import Loader
from genreid.training.run import Run
from genreid.training.settings.joint import ClusterViews

TURNS_DEG = (90, 180, 270)
"""How a person is turned to be clustered: with all seven angles, at twice the cost, pseudo-labels of the
default warm-up are no better."""

_WAYS: Mapping[ClusterViews, WayName] = {
    "none": "image",
    "mirror": "mirror",
    "turned": "turned",
    "turned_rows": "turned",
}


@dataclass(frozen=True)
class Features:
    """Embeds all of `images`, in pieces of `batch_size`; loader: turns their persons, if they are to be."""

    encoder: IdentityEncoder
    images: ImageSet
    loader: Loader | None
    batch_size: int
    device: torch.device
    checkpoints: Checkpoints
    progress: Progress

    def of(self, run: Run, views: ClusterViews) -> Tensor:
        """(N, R, D) float32 unit rows on the CPU: of each image one row, the normalised mean over it and its
        `views`; with `turned_rows` a row of each of its pictures, its own first.

        What is done of them is kept in `run.tensors`, and offered for keeping after each piece.
        """
        pictures = pictures_of(views, self.images, self.loader)
        groups = [[picture] for picture in pictures] if views == "turned_rows" else [pictures]
        name, num = f"features, views {views}", len(self.images)
        if name not in run.tensors:
            run.tensors[name] = torch.zeros(num, len(groups), self.encoder.embedding_dim)
            run.tensors[f"{name}, done"] = torch.tensor(0)
        features = run.tensors[name]
        starts = range(int(run.tensors[f"{name}, done"]), num, self.batch_size)
        for start in self.progress.track(starts, "embedding", total=len(starts)):
            index = np.arange(start, min(start + self.batch_size, num))
            for number, group in enumerate(groups):
                of_piece: list[Look] = [partial(_of_piece, look, index) for look in group]
                rows = embed_mean(self.encoder, of_piece, len(index), self.batch_size, self.device, Silent())
                features[index, number] = rows
            run.tensors[f"{name}, done"] = torch.tensor(start + len(index))
            self.checkpoints.offer(run.snapshot)
        return features


def pictures_of(views: ClusterViews, images: ImageSet, loader: Loader | None) -> list[Look]:
    """The R pictures of each image that are clustered, the image itself first."""
    return looks(_WAYS[views], images, None if loader is None else loader.turned, TURNS_DEG)


def _of_piece(look: Callable[[np.ndarray], Tensor], piece: np.ndarray, places: np.ndarray) -> Tensor:
    return look(piece[places])


def embed_all(encoder: IdentityEncoder, images: ImageSet, batch_size: int, device: torch.device) -> Tensor:
    """Embeddings of all `images` in evaluation mode: (N, D) float32 unit rows on the CPU, at one go."""
    (look,) = looks("image", images)
    return embed(encoder, look, len(images), batch_size, device, Silent())
