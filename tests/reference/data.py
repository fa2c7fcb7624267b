"""What training may see, and the batches that are made of it.

Shapes: N images, B batch, H×W the training size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.reference.contrast import Mix

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class Data:
    """N images, without identities.

    images: (N, H, W, 3) uint8 RGB. camera_id: (N,) int. views: by image and turn in degrees the grey view
    (H, W) uint8 of the image's mesh; some images have none. backgrounds: by image what is left of it
    without its person, (H, W, 3) uint8. warped: by image and turn its person turned by warping, before
    nothing: colours (H, W, 3) times what the person covers of a pixel (H, W), and that. mixed: the same of
    two images' persons on the first one's body, by image, image, how much or what is the other's, and turn;
    and how much of it is the first one's own.
    """

    images: np.ndarray
    camera_id: np.ndarray
    views: dict[tuple[int, int], np.ndarray]
    backgrounds: dict[int, np.ndarray]
    warped: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]
    mixed: Callable[[int, int, float | str, int], tuple[np.ndarray, np.ndarray, float]]

    @property
    def with_mesh(self) -> np.ndarray:
        """(M,) the images that have a mesh, in their order."""
        return np.array(sorted({image for image, _ in self.views}))

    @property
    def turns(self) -> np.ndarray:
        """The angles θ that a batch draws from."""
        return np.array(sorted({turn for _, turn in self.views} - {0}))


@dataclass(frozen=True)
class Batch:
    """x, m_0, m_θ; and, where they are wanted, another image x' of the same pseudo-identity with its mesh
    m'_0, a background of another camera, the person turned by warping, whom each is mixed with, and their
    mixtures on the body with how much in them is the own."""

    index: Tensor
    image: Tensor
    mesh: Tensor
    mesh_rotated: Tensor
    yaw_deg: Tensor
    positive_image: Tensor | None = None
    positive_mesh: Tensor | None = None
    background: Tensor | None = None
    warped: Tensor | None = None
    mix: Mix | None = None
    mixtures: Tensor | None = None
    own_share: Tensor | None = None


def make_batch(
    data: Data,
    index: np.ndarray,
    turns: np.ndarray,
    positives: np.ndarray | None = None,
    backgrounds: np.ndarray | None = None,
    mix: Mix | None = None,
    worn: Sequence[float | str] = (),
    *,
    warps: bool = False,
    mixed_turned: bool = False,
    mirrored: np.ndarray | None = None,
    recoloured: bool = False,
) -> Batch:
    """The images at `index` (B,), their meshes as they are and turned by `turns` (B,) degrees.

    warps: whether the persons are turned by warping. worn: how each is mixed on the body with whom `mix`
    says, on its turned mesh or its own. mirrored: (B,) bool, of whom every picture is the other way round,
    and the turn too. recoloured: whether warped and mixed persons have the colours of the camera before whose
    background they stand.
    """
    if mirrored is not None:
        known = (data, index, turns, positives, backgrounds, mix, worn)
        plain = make_batch(*known, warps=warps, mixed_turned=mixed_turned, recoloured=recoloured)
        return _mirrored(plain, mirrored)
    mixtures, own_share = [], []
    places = index if backgrounds is None else backgrounds
    warped = [
        warped_picture(data, *where, recoloured=recoloured)
        for where in zip(index, turns, places, strict=True)
        if warps
    ]
    for i, much in enumerate(worn):
        assert mix is not None
        turn = turns[i] if mixed_turned else 0
        person, share, own = data.mixed(index[i], index[mix.partner[i]], much, turn)
        if recoloured:
            person = in_colours_of(data, index[i], places[i], person, share)
        mixtures.append(np.rint(person + (1 - share[..., None]) * data.backgrounds[places[i]]))
        own_share.append(own)
    behind = None if backgrounds is None else np.stack([data.backgrounds[i] for i in backgrounds])
    return Batch(
        index=torch.tensor(index),
        image=pixels(data.images[index]),
        mesh=meshes(data, index, np.zeros_like(turns)),
        mesh_rotated=meshes(data, index, turns),
        yaw_deg=torch.tensor(turns),
        positive_image=None if positives is None else pixels(data.images[positives]),
        positive_mesh=None if positives is None else meshes(data, positives, np.zeros_like(turns)),
        background=None if behind is None else pixels(behind),
        warped=pixels(np.stack(warped)) if warps else None,
        mix=mix,
        mixtures=pixels(np.stack(mixtures)) if worn else None,
        own_share=torch.tensor(own_share) if worn else None,
    )


def warped_picture(data: Data, image: int, turn: int, place: int, *, recoloured: bool = False) -> np.ndarray:
    """The person of an image turned, before the background of the image `place`: (H, W, 3)."""
    person, share = data.warped[image, turn]
    if recoloured:
        person = in_colours_of(data, image, place, person, share)
    return np.rint(person + (1 - share[..., None]) * data.backgrounds[place])


def in_colours_of(data: Data, image: int, place: int, person: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Each channel of a person of the camera of `image` with the mean and deviation that persons have in
    that of `place`: all pixels that the meshes of the camera's images cover."""
    statistics = []
    for camera in (data.camera_id[image], data.camera_id[place]):
        own = [i for i in data.with_mesh if data.camera_id[i] == camera]
        pixels_of = np.concatenate([data.images[i][data.views[i, 0] > 0] for i in own]).astype(np.float64)
        statistics.append((pixels_of.mean(0), np.maximum(pixels_of.std(0), 1)))
    (mean, deviation), (new_mean, new_deviation) = statistics
    covered = share > 0
    colour = person[covered] / share[covered][:, None]
    changed = np.zeros_like(person)
    colour = np.clip((colour - mean) / deviation * new_deviation + new_mean, 0, 255)
    changed[covered] = colour * share[covered][:, None]
    return changed


def _mirrored(batch: Batch, mirrored: np.ndarray) -> Batch:
    changed: dict[str, Any] = {}
    for name, value in vars(batch).items():
        if value is None or name in ("index", "mix", "own_share"):
            continue
        rows = list(value)
        for row in np.flatnonzero(mirrored):
            if name == "yaw_deg":
                rows[row] = 360 - rows[row]
            else:
                width = rows[row].shape[2]
                rows[row] = torch.stack([rows[row][:, :, width - 1 - x] for x in range(width)], dim=2)
        changed[name] = torch.stack(rows)
    return replace(batch, **changed)


def pixels(images: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 → (B, 3, H, W), ImageNet's mean and deviation taken out."""
    scaled = (images.astype(np.float32) / 255 - MEAN) / DEVIATION
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy())


def meshes(data: Data, index: np.ndarray, turns: np.ndarray) -> Tensor:
    """(B, 1, H, W) in [−1, 1], black at −1."""
    views = np.stack([data.views[image, turn] for image, turn in zip(index, turns, strict=True)])
    return torch.from_numpy(views[:, None].astype(np.float32) / 127.5 - 1)


def batches(index: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Full batches without end: every image once in a random order, then again in another."""
    queue: list[int] = []
    while True:
        while len(queue) < size:
            queue.extend(rng.permutation(index))
        yield np.array(queue[:size])
        del queue[:size]


def identity_batches(
    labels: np.ndarray, camera_id: np.ndarray, num_people: int, num_images: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """P pseudo-identities with K images of each; every pseudo-identity once, in random order.

    The last batch is filled up with some of those that are not in it, or, if these are too few, with any.
    """
    people = list(rng.permutation(np.unique(labels[labels >= 0])))
    missing = -len(people) % num_people
    if missing:
        full = people[: len(people) // num_people * num_people]
        pool = full if len(full) >= missing else people
        people += list(rng.choice(pool, missing, replace=len(pool) < missing))
    for start in range(0, len(people), num_people):
        chosen = people[start : start + num_people]
        yield np.concatenate([_of_all_cameras(labels, camera_id, who, num_images, rng) for who in chosen])


def _of_all_cameras(
    labels: np.ndarray, camera_id: np.ndarray, person: int, num: int, rng: np.random.Generator
) -> np.ndarray:
    """Images of a person: one of each of its cameras, then a second one; from the start when all are used."""
    left, ordered = list(rng.permutation(np.flatnonzero(labels == person))), []
    while left:
        seen: set[int] = set()
        for image in list(left):
            if camera_id[image] not in seen:
                seen.add(camera_id[image])
                ordered.append(image)
                left.remove(image)
    return np.array([ordered[k % len(ordered)] for k in range(num)])
