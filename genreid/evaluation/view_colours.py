"""How far the colours of views are off where no true view is known: held against other images of the person.

Beyond the paper. On photographs nobody knows how a person looks from the other side, but another image of
the same identity often shows it. A view turned to that image's heading should have its colours, in the upper
and in the lower half of the body. N images with bodies, H×W the training size; errors on the scale 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genreid.data.camera_colours import CameraColours
from genreid.data.cutting import LIKELY
from genreid.evaluation.bodies import Bodies
from genreid.evaluation.generation import Painter, ViewedImages
from genreid.evaluation.protocol import DISTRACTOR
from genreid.evaluation.retrieval import Part
from genreid.seeding import numpy_rng

HALVES = ("upper", "lower")
OPPOSITE_DEG = 135
"""From here on a view shows another side of the person than its image does."""

_LEAST_PX = 1.0
"""Less of a half than this has no colour."""


class People:
    """The images of several parts as one set, those of the first part first.

    person_id, camera_id, heading_deg, waist, has_body: (N,), see `Bodies`.
    """

    def __init__(self, parts: Sequence[tuple[Part, Bodies]]) -> None:
        self._parts = parts
        self._start = np.cumsum([0, *(len(part.images) for part, _ in parts)])
        labels = [part.labels for part, _ in parts]
        self.person_id = np.concatenate([ids for ids, _ in labels])
        self.camera_id = np.concatenate([cameras for _, cameras in labels])
        self.heading_deg, self.waist, self.has_body = (
            np.concatenate([getattr(bodies, name) for _, bodies in parts])
            for name in ("heading_deg", "waist", "has_body")
        )

    def picture(self, position: int) -> np.ndarray:
        """(H, W, 3) uint8."""
        (part, _), place = self._at(position)
        picture: np.ndarray = part.images.load(np.array([place]))[0]
        return picture

    def share(self, position: int) -> np.ndarray:
        """(H, W) uint8, how far each pixel is the person's, of 255."""
        (_, bodies), place = self._at(position)
        return bodies.persons.share(place)

    def pixels(self, position: int) -> np.ndarray:
        """(P, 3) uint8, those of the person."""
        return self.picture(position)[self.share(position) >= LIKELY]

    def halves(self, positions: np.ndarray) -> np.ndarray:
        """(B, 2, 3), see `half_colours`, of the images at `positions` (B,)."""
        own, place = np.unique(positions, return_inverse=True)
        people = zip(map(self.picture, own), map(self.share, own), self.waist[own], strict=True)
        return np.stack([half_colours(picture, share, float(waist)) for picture, share, waist in people])[
            place
        ]

    def _at(self, position: int) -> tuple[tuple[Part, Bodies], int]:
        number = int(np.searchsorted(self._start, position, side="right")) - 1
        return self._parts[number], position - int(self._start[number])


def half_colours(picture: np.ndarray, share: np.ndarray, waist: float) -> np.ndarray:
    """(2, 3) mean colour of a person above and below the waist, of 0 to 255; NaN where nothing is seen of it.

    picture: (H, W, 3) uint8. share: (H, W) uint8, how far each pixel is the person's. waist: of the height.
    """
    row = int(np.clip(round(waist * len(picture)), 0, len(picture)))
    weight = share.astype(np.float64) / 255
    found = np.full((2, 3), np.nan)
    for half, rows in enumerate((slice(None, row), slice(row, None))):
        if (total := weight[rows].sum()) >= _LEAST_PX:
            found[half] = (weight[rows, :, None] * picture[rows]).sum((0, 1)) / total
    return found


@dataclass(frozen=True)
class Turns:
    """Pairs of images of one identity: to look like `target` (B,), the person of the image at `index` (B,)
    has to turn by about `yaw_deg` (B,), one of the angles of the views, 0 among them."""

    index: np.ndarray
    target: np.ndarray
    yaw_deg: np.ndarray


def draw_turns(people: People, index: np.ndarray, yaws_deg: Sequence[int], seed: int) -> Turns:
    """For each of the images at `index` and each of 0 and `yaws_deg`, an image of the same identity, in
    whatever camera, whose heading is nearest to that angle; one is drawn where there are several.
    """
    angles = np.array([0, *yaws_deg])
    found = []
    for position in index[people.has_body[index] & (people.person_id[index] > DISTRACTOR)]:
        same = (people.person_id == people.person_id[position]) & people.has_body
        same[position] = False
        others = np.flatnonzero(same)
        turn = people.heading_deg[others] - people.heading_deg[position]
        nearest = np.abs((turn[:, None] - angles + 180) % 360 - 180).argmin(1)
        rng = numpy_rng(seed, "turns", int(position))
        for number in np.unique(nearest):
            found.append((position, rng.choice(others[nearest == number]), angles[number]))
    rows = np.array(found, np.int64).reshape(-1, 3)
    return Turns(*rows.T)


def measure_colours(
    painter: Painter,
    viewed: ViewedImages,
    people: People,
    index: np.ndarray,
    *,
    seed: int,
    batch_size: int,
) -> dict[str, float] | str:
    """Errors of mean colours by name, `rotated_upper`, `original_upper`, …; the reason where there are none.

    people: the viewed images, then others; index: (M,) among the viewed ones. Each half of each view, within
    its silhouette, is held against that half of an image of the same identity that looks that way: `rotated`;
    `original` is the image unturned in the view's place. Both are taken to the other image's camera first,
    by `CameraColours`. `opposite_…`: of turns by 135 degrees and more. `same_side_…`: of images with about
    one heading, which no view can be asked to beat. Labels serve for this report alone.
    """
    turns = draw_turns(people, index, viewed.yaws_deg, seed)
    turned = turns.yaw_deg != 0
    if not turned.any():
        return f"none of {len(index)} queries has an image of its identity that looks another way"
    known = np.flatnonzero(people.has_body)
    colours = CameraColours.of(people.camera_id, known, people.pixels)
    target, original = people.halves(turns.target), people.halves(turns.index)
    rotated = original.copy()
    rotated[turned] = _view_colours(painter, viewed, people, turns, np.flatnonzero(turned), batch_size)
    cameras = people.camera_id[turns.index], people.camera_id[turns.target]
    errors = {
        name: _errors(found, target, *cameras, colours)
        for name, found in (("rotated", rotated), ("original", original))
    }
    far = np.abs((turns.yaw_deg + 180) % 360 - 180) >= OPPOSITE_DEG
    figures: dict[str, float] = {"pairs": int(turned.sum()), "opposite_pairs": int(far.sum())}
    for prefix, rows in (("", turned), ("opposite_", far)):
        for name, error in errors.items():
            figures |= _means(f"{prefix}{name}", error[rows])
    return figures | _means("same_side", errors["original"][~turned])


def _view_colours(
    painter: Painter, viewed: ViewedImages, people: People, turns: Turns, rows: np.ndarray, batch_size: int
) -> np.ndarray:
    """(R, 2, 3) colours of the halves of the views that the turns at `rows` (R,) ask for."""
    found = np.empty((len(rows), 2, 3))
    for yaw_deg in np.unique(turns.yaw_deg[rows]):
        of_yaw = np.flatnonzero(turns.yaw_deg[rows] == yaw_deg)
        for start in range(0, len(of_yaw), batch_size):
            batch = of_yaw[start : start + batch_size]
            index = turns.index[rows[batch]]
            codes = painter.appearance(viewed.images.load(index))
            pictures = painter.paint(viewed.shown(index, int(yaw_deg)), codes)
            silhouettes = viewed.meshes(index, int(yaw_deg)) > 0
            views = zip(batch, pictures, silhouettes, people.waist[index], strict=True)
            for place, picture, silhouette, waist in views:
                found[place] = half_colours(picture, np.where(silhouette, 255, 0), float(waist))
    return found


def _errors(
    colour: np.ndarray, target: np.ndarray, camera: np.ndarray, other: np.ndarray, colours: CameraColours
) -> np.ndarray:
    """(B, 2) mean absolute difference of colours (B, 2, 3), taken from cameras (B,) to others (B,), to their
    targets (B, 2, 3)."""
    changes = [colours.change(int(own), int(new)) for own, new in zip(camera, other, strict=True)]
    gain, offset = (np.stack(part)[:, None] for part in zip(*changes, strict=True))
    error: np.ndarray = np.abs(gain * colour + offset - target).mean(2) / 255
    return error


def _means(name: str, errors: np.ndarray) -> dict[str, float]:
    """Means of errors (B, 2) by half, over the pairs that show it; no figure where none does."""
    means = {}
    for half, column in zip(HALVES, errors.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known):
            means[f"{name}_{half}"] = float(known.mean())
    return means
