"""An endless stream of pictures to fit a regressor on: the same machinery, drawn wider, from a world of its
own.

Identities, wardrobe, poses, cameras and backgrounds come from other seeds than any benchmark's, headings are
uniform, and everything varies more than the benchmark does.
"""

from __future__ import annotations

from functools import lru_cache

from genreid.body.body import Body
from genreid.body.poses import sample_pose
from genreid.seeding import derive_seed, numpy_rng
from genreid.synthetic.background.plate import plate_height_px
from genreid.synthetic.picture.crop import sample_framing
from genreid.synthetic.picture.scene import Scene, draw
from genreid.synthetic.world.cameras import Camera, build_camera, sample_spot
from genreid.synthetic.world.cast import Actor, Cast, sample_others

# A camera's plate is costly, so the stream goes round a ring of them; an identity is seen a few times.
NUM_CAMERAS = 40
SHOTS_AN_IDENTITY = 8
_BREADTH = 1.5


@lru_cache(maxsize=NUM_CAMERAS)
def _camera(world: int, index: int, plate_height_px: int) -> Camera:
    return build_camera(world, index, plate_height_px, breadth=_BREADTH)


@lru_cache(maxsize=2)
def _cast(body: Body, world: int) -> Cast:
    return Cast(body, world, likeness=0.0, shape_spread=1.15, keep=16)


def training_scene(body: Body, seed: int, index: int, height_px: int, width_px: int) -> Scene:
    """Picture number `index` of the stream that `seed` names.

    It depends on its arguments alone, so a stream can be made in any order and in pieces. Neighbouring
    numbers share a person (in other poses, before other cameras), so make them together and shuffle.
    """
    world = derive_seed(seed, "training stream")
    rng = numpy_rng(world, "shot", index)
    cast = _cast(body, world)
    person = index // SHOTS_AN_IDENTITY
    camera = _camera(world, int(rng.integers(NUM_CAMERAS)), plate_height_px(height_px))
    dressed = cast.dressed(person)
    pose = sample_pose(rng, dressed.identity.habit, breadth=_BREADTH)
    spot = sample_spot(camera, rng)
    heading = float(rng.uniform(-180.0, 180.0))
    actor = Actor(dressed, pose, spot, heading, float(rng.normal(0.0, 2.5)), int(rng.integers(1 << 30)))
    framing = sample_framing(rng, breadth=_BREADTH)
    others = sample_others(cast, camera, actor, rng)
    return draw(
        cast.mannequin, camera, actor, framing, others, int(rng.integers(1 << 62)), height_px, width_px
    )
