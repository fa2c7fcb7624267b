"""The persons of a world, dressed when they are first needed, and who else passes by."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from genreid.body.body import Body
from genreid.synthetic.cameras import Camera, sample_heading
from genreid.synthetic.figure import Dressed, dress_up
from genreid.synthetic.mannequin import stand
from genreid.synthetic.poses import sample_pose
from genreid.synthetic.scene import Actor
from genreid.synthetic.wardrobe import sample_identity

# Passers-by are few, and nobody's query: their numbers lie above those of all identities.
_NUM_PASSERS = 6
_FIRST_PASSER = 1 << 24


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
        self._world, self._likeness, self._shape_spread, self._keep = world, likeness, shape_spread, keep
        self._dressed: OrderedDict[int, Dressed] = OrderedDict()

    def dressed(self, index: int) -> Dressed:
        """Person number `index`."""
        if index not in self._dressed:
            identity = sample_identity(self._world, index, self._likeness, self._shape_spread)
            self._dressed[index] = dress_up(self.mannequin, identity)
            while len(self._dressed) > self._keep:
                self._dressed.popitem(last=False)
        self._dressed.move_to_end(index)
        return self._dressed[index]


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
