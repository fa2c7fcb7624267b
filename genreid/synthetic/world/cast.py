"""The persons of a world, dressed when they are first needed, and who else passes by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from genreid.body.body import Body
from genreid.body.poses import Pose, sample_pose
from genreid.synthetic.figure.figure import Dressed, dress_up
from genreid.synthetic.figure.mannequin import stand
from genreid.synthetic.person.wardrobe import sample_identity
from genreid.synthetic.world.cameras import Camera, sample_heading

# Passers-by are few, and nobody's query: their numbers lie above those of all identities.
_NUM_PASSERS = 6
_FIRST_PASSER = 1 << 24


@dataclass(frozen=True)
class Actor:
    """A person at a moment.

    Attributes:
        dressed, pose: who and how.  spot: (2,) street position.  heading_deg: 0 faces the camera.
        roll_deg: of the camera.  crease_seed: where the folds of the cloth fall.
    """

    dressed: Dressed
    pose: Pose
    spot: np.ndarray
    heading_deg: float
    roll_deg: float
    crease_seed: int


class Cast:
    """All persons of one world.

    Args:
        likeness, shape_spread: see `wardrobe.sample_identity`.
        keep: how many dressed persons stay in memory (1.7 MB each); what they look like does not depend on
            it.
    """

    def __init__(
        self, body: Body, world: int, likeness: float, shape_spread: float = 1.0, keep: int = 24
    ) -> None:
        self.mannequin = stand(body)
        self._world, self._likeness, self._shape_spread = world, likeness, shape_spread
        self.dressed = lru_cache(maxsize=keep)(self._dress)

    def _dress(self, index: int) -> Dressed:
        """Person number `index`."""
        identity = sample_identity(self._world, index, self._likeness, self._shape_spread)
        return dress_up(self.mannequin, identity)


def sample_others(cast: Cast, camera: Camera, actor: Actor, rng: np.random.Generator) -> list[Actor]:
    """Now and then somebody who is partly in the picture, mostly behind, sometimes just before the person."""
    if rng.random() > 0.22:
        return []
    spots = camera.spots
    here = np.arctan2(actor.spot[1], actor.spot[0])
    bearing = np.arctan2(spots[:, 1], spots[:, 0])
    aside = (bearing - here + np.pi) % (2.0 * np.pi) - np.pi
    level, mine = np.hypot(spots[:, 0], spots[:, 1]), float(np.hypot(*actor.spot))
    beside = np.abs(aside) * np.minimum(level, mine)
    behind = (level > mine + 0.8) & (beside < 1.1)
    before = (level < mine - 0.6) & (beside > 0.42) & (beside < 0.75)
    near = np.flatnonzero(behind | (before & (rng.random() < 0.35)))
    if len(near) == 0:
        return []
    spot = spots[near[rng.integers(len(near))]]
    dressed = cast.dressed(_FIRST_PASSER + int(rng.integers(_NUM_PASSERS)))
    pose = sample_pose(rng, dressed.identity.habit)
    return [Actor(dressed, pose, spot, sample_heading(camera, spot, rng), 0.0, int(rng.integers(1 << 30)))]
