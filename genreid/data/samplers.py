"""Which images make a batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def shuffled_batches(index: np.ndarray, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Full batches of `index` (N,) in random order, without end: each image once, then reshuffled.

    A set smaller than a batch is filled up with further draws, so that every batch has `batch_size`.
    """
    queue = rng.permutation(index)
    while True:
        while len(queue) < batch_size:
            queue = np.concatenate([queue, rng.permutation(index)])
        yield queue[:batch_size]
        queue = queue[batch_size:]


def identity_batches(
    labels: np.ndarray, camera_id: np.ndarray, num_identities: int, num_images: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """P×K batches over one epoch: `num_identities` pseudo-identities, `num_images` images of each.

    labels: (N,) pseudo-identity, -1 for outliers, which never appear. camera_id: (N,) int. Every
    pseudo-identity comes once an epoch, in random order; the last batch, if incomplete, is filled up with
    identities drawn again, so that BatchNorm always sees the same number of images. The images of an
    identity start with one of each of its cameras before a camera comes twice (Dai et al. 2022; the
    identity sampler of the field); an identity with fewer images repeats some.
    """
    members = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels) if label >= 0}
    order = rng.permutation(sorted(members))
    shortage = -len(order) % num_identities
    if shortage:
        others = order[: len(order) - len(order) % num_identities]
        pool = others if len(others) >= shortage else order
        order = np.concatenate([order, rng.choice(pool, shortage, replace=len(pool) < shortage)])
    for start in range(0, len(order), num_identities):
        chosen = order[start : start + num_identities]
        parts = [_spread_over_cameras(members[int(label)], camera_id, num_images, rng) for label in chosen]
        yield np.concatenate(parts)


def _spread_over_cameras(
    members: np.ndarray, camera_id: np.ndarray, num_images: int, rng: np.random.Generator
) -> np.ndarray:
    """`num_images` of `members`, cameras taken in turn; repeats only when all members are used."""
    shuffled = rng.permutation(members)
    turn = np.zeros(len(shuffled), np.int64)
    seen: dict[int, int] = {}
    for position, image in enumerate(shuffled):
        camera = int(camera_id[image])
        turn[position] = seen.get(camera, 0)
        seen[camera] = seen.get(camera, 0) + 1
    ordered = shuffled[np.argsort(turn, kind="stable")]
    return np.resize(ordered, num_images)
