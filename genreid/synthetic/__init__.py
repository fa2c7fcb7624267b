"""The embedded benchmark: persons rendered from the open body, before surveillance cameras.

This module is the door: nothing else in here is imported from outside. Behind it, each room takes what those
above it have made, from a person's identity to pixels:

    person      who somebody is: shape, skin, hair, clothes, a bag
    clothes     the same painted on a canvas, which follows the body into every pose
    figure      the posed body as a textured mesh, with the thickness of its clothes and what hangs on it
    camera      a lens, and the electronics behind it
    background  what stands before a lens, and the empty picture of it
    world       cameras with their backgrounds and spots to stand on; persons, dressed, who pass
    picture     one person, in the light of the place, cut out of what a camera sees

`plan` says who is seen where, `benchmark` draws it, `truth` keeps what is known of every picture, and
`stream` draws endlessly from another world, to train on. How people hold themselves: `genreid.body.poses`.
"""

from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.picture.scene import Scene
from genreid.synthetic.plan import Shot, plan_benchmark
from genreid.synthetic.settings import SyntheticSettings
from genreid.synthetic.stream import training_scene
from genreid.synthetic.truth import TRUTH_SCHEMA, benchmark_from_truth, truth_table

__all__ = [
    "TRUTH_SCHEMA",
    "Benchmark",
    "Scene",
    "Shot",
    "SyntheticSettings",
    "benchmark_from_truth",
    "plan_benchmark",
    "training_scene",
    "truth_table",
]
