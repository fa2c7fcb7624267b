"""Drawing: `python -m benchmarks.rendering views | scenes`.

views: which triangle each pixel sees, for bodies of 6,890 vertices at 256×128; ours is the z-buffer, the
other side embree's ray caster through trimesh, whose tree is built anew for every body.
scenes: pictures of the synthetic benchmark, one process, one thread, compiled and with its backgrounds built.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.measure import Row, finish_side, measured, row, side, side_arguments, table
from genreid.body.body import BodyParameters, load_body
from genreid.render.shading import image_points
from genreid.render.zbuffer import rasterise
from genreid.synthetic.stream import training_scene

KINDS = ("views", "scenes")
HEIGHT_PX, WIDTH_PX = 256, 128
NUM = {"views": 200, "scenes": 512}
FIRST_SCENE = 2048  # drawn after 256 others, which build the backgrounds of the cameras


def compare(kind: str) -> Row:
    """Time of `NUM[kind]` drawings."""
    num = NUM[kind]
    ours, figures, _ = side("rendering", "ours", kind=kind)
    each = f"{1000 * ours.cpu_s / num:.1f} ms of CPU each"
    if kind == "scenes":
        return row(
            "scenes", f"{num} at 128 × 64", num, ours, None, note=f"{each}, {num / ours.wall_s:.0f} a second"
        )
    theirs, other, _ = side("rendering", "field", kind=kind)
    return row(
        "views",
        f"{num} bodies at {HEIGHT_PX} × {WIDTH_PX}",
        num,
        ours,
        theirs,
        alternative="embree through trimesh",
        agreement=f"{figures['covered']:.0f} and {other['covered']:.0f} pixels covered; {each}",
    )


def run_side(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    work = {"views": _views, "scenes": _scenes}[arguments.kind](arguments.side)
    covered, cost = measured(work)
    finish_side(arguments, cost, {"covered": covered})


def _views(name: str) -> Callable[[], int]:
    body, num = load_body("open"), NUM["views"]
    rng = torch.Generator().manual_seed(1)
    turned = torch.tensor([[np.pi, 0.0, 0.0]]) + 0.3 * torch.randn(num, 3, generator=rng)
    bent = 0.25 * torch.randn(num, 69, generator=rng)
    vertices = body.pose(BodyParameters(turned, bent, torch.randn(num, 10, generator=rng))).vertices
    camera = torch.tensor([[0.9, 0.0, 0.0]]).expand(num, 3)
    points = image_points(vertices, camera, np.full(num, HEIGHT_PX), np.full(num, WIDTH_PX))
    draw = _by_rays if name == "field" else _by_zbuffer
    draw(points[0], body.faces)
    return lambda: sum(draw(one, body.faces) for one in points)


def _by_zbuffer(points: np.ndarray, faces: np.ndarray) -> int:
    return int(rasterise(points, faces, HEIGHT_PX, WIDTH_PX).covered.sum())


def _by_rays(points: np.ndarray, faces: np.ndarray) -> int:
    import trimesh

    mesh = trimesh.Trimesh(points, faces, process=False)
    caster = trimesh.ray.ray_pyembree.RayMeshIntersector(mesh, scale_to_box=False)
    v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX] + 0.5
    origins = np.stack([u.ravel(), v.ravel(), np.full(u.size, -1000.0)], axis=1)
    return int((caster.intersects_first(origins, np.tile([0.0, 0.0, 1.0], (u.size, 1))) >= 0).sum())


def _scenes(_name: str) -> Callable[[], int]:
    body = load_body("open")

    def draw(first: int, last: int) -> int:
        return sum(int(training_scene(body, 1, i, 128, 64).silhouette.sum()) for i in range(first, last))

    draw(0, 256)
    return lambda: draw(FIRST_SCENE, FIRST_SCENE + NUM["scenes"])


def main() -> None:
    parser = side_arguments(__doc__)
    parser.add_argument("kind_of_work", nargs="?", choices=KINDS, default="views")
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments)
    else:
        print(table([compare(arguments.kind_of_work)]))


if __name__ == "__main__":
    main()
