"""The synthetic benchmark: a plan, and any of its pictures on demand."""

from __future__ import annotations

from genreid.body.body import Body
from genreid.body.poses import sample_pose
from genreid.seeding import derive_seed, numpy_rng
from genreid.synthetic.background.plate import plate_height_px
from genreid.synthetic.picture.crop import Framing, sample_framing
from genreid.synthetic.picture.scene import Scene, draw
from genreid.synthetic.plan import JUNK_ID, Shot, plan_benchmark
from genreid.synthetic.settings import SyntheticSettings
from genreid.synthetic.world.cameras import Camera, build_camera, sample_spot
from genreid.synthetic.world.cast import Actor, Cast, sample_others

# Share of persons who are dressed after one of a few common outfits.
_LIKENESS = 0.55


class Benchmark:
    """Draws the pictures of one benchmark.

    Every picture depends on (settings' size, seed, image_id) alone: not on the others, nor on the order.
    Cameras and persons are made when first needed and kept.

    Attributes:
        body, settings, seed: what the benchmark is made from.
        shots: the plan, sorted by image_id.
    """

    def __init__(self, body: Body, settings: SyntheticSettings, seed: int) -> None:
        self.body, self.settings, self.seed = body, settings, seed
        self.shots = plan_benchmark(settings, seed)
        self._world = derive_seed(seed, "benchmark")
        self._cast = Cast(body, self._world, likeness=_LIKENESS)
        self._cameras: dict[int, Camera] = {}

    def camera(self, camera_id: int) -> Camera:
        """The camera of that number (from 1)."""
        if camera_id not in self._cameras:
            self._cameras[camera_id] = build_camera(
                self.seed, camera_id - 1, plate_height_px(self.settings.height_px)
            )
        return self._cameras[camera_id]

    def render(self, shot: Shot, yaw_deg: float = 0.0) -> Scene:
        """Draw one picture.

        Args:
            yaw_deg: the true rotated view: same person, pose, place, camera, crop and noise, the person
                alone turned by R_θ, positive towards the own left.
        """
        rng = numpy_rng(shot.scene_seed, "shot")
        camera, dressed = self.camera(shot.camera_id), self._cast.dressed(shot.figure)
        pose = sample_pose(rng, dressed.identity.habit)
        spot = sample_spot(camera, rng)
        actor = Actor(
            dressed, pose, spot, shot.heading_deg, float(rng.normal(0.0, 1.2)), int(rng.integers(1 << 30))
        )
        framing = sample_framing(rng)
        if shot.person_id == JUNK_ID:
            # A box that has caught half of somebody.
            side, drop = rng.choice([-1.0, 1.0]) * rng.uniform(0.16, 0.26), rng.uniform(-0.42, 0.42)
            framing = Framing(margin=-0.1, shift=(float(side), float(drop)))
        others = sample_others(self._cast, camera, actor, rng)
        return draw(
            self._cast.mannequin,
            camera,
            actor,
            framing,
            others,
            shot.scene_seed,
            self.settings.height_px,
            self.settings.width_px,
            yaw_deg,
        )
