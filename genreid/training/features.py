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
from genreid.data.part import Part
from genreid.data.settings import WayName
from genreid.data.ways import Look, looks
from genreid.models.embedding import embed, embed_mean
from genreid.models.encoder import IdentityEncoder
from genreid.progress import Checkpoints, Progress, Silent
from genreid.training.loader import Loader
from genreid.training.ranks import ALONE, Ranks
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
    """Embeds all of `images`, in pieces of `batch_size`; loader: turns their persons, if they are to be. Of
    several ranks each takes a piece at a time, which is the one that a process alone would make."""

    encoder: IdentityEncoder
    images: ImageSet
    loader: Loader | None
    batch_size: int
    device: torch.device
    checkpoints: Checkpoints
    progress: Progress
    ranks: Ranks = ALONE

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
        starts = range(int(run.tensors[f"{name}, done"]), num, self.batch_size * self.ranks.num)
        for start in self.progress.track(starts, "embedding", total=len(starts)):
            stop = min(start + self.batch_size * self.ranks.num, num)
            part = piece_of(self.ranks, stop - start, self.batch_size)
            index = np.arange(start, stop)[part.rows]
            for number, group in enumerate(groups):
                of_piece: list[Look] = [partial(_of_piece, look, index) for look in group]
                rows = embed_mean(self.encoder, of_piece, len(index), self.batch_size, self.device, Silent())
                features[start:stop, number] = self.ranks.gather(rows, part)
            run.tensors[f"{name}, done"] = torch.tensor(stop)
            self.checkpoints.offer(run.snapshot)
        return features


def pictures_of(views: ClusterViews, images: ImageSet, loader: Loader | None) -> list[Look]:
    """The R pictures of each image that are clustered, the image itself first."""
    return looks(_WAYS[views], images, None if loader is None else loader.turned, TURNS_DEG)


def piece_of(ranks: Ranks, num: int, batch_size: int) -> Part:
    """What a rank embeds of `num` images: a stretch of whole batches, as nearly as long as the others' as can
    be; an empty one where there are not enough."""
    num_batches = -(-num // batch_size)
    first, last = (place * num_batches // ranks.num for place in (ranks.rank, ranks.rank + 1))
    return Part(slice(min(first * batch_size, num), min(last * batch_size, num)), num)


def _of_piece(look: Callable[[np.ndarray], Tensor], piece: np.ndarray, places: np.ndarray) -> Tensor:
    return look(piece[places])


def embed_all(
    encoder: IdentityEncoder,
    images: ImageSet,
    batch_size: int,
    device: torch.device,
    ranks: Ranks = ALONE,
) -> Tensor:
    """Embeddings of all `images` in evaluation mode: (N, D) float32 unit rows on the CPU, at one go."""
    (look,) = looks("image", images)
    part = piece_of(ranks, len(images), batch_size)
    own: Look = partial(_of_piece, look, np.arange(len(images))[part.rows])
    return ranks.gather(embed(encoder, own, len(part), batch_size, device, Silent()), part)
