"""How good the bodies of each estimator are: `python -m benchmarks.meshes`.

On drawn test crops of the default benchmark (`genreid prepare-data` makes them), against the truth: median
heading error, flips, vertices, silhouettes, and what a crop takes of one core. With --angles FOLDER, on
photographs of known heading too: `0001_c1_h+090.png` is person 1 before camera 1 at +90 degrees. There the
odd persons are for tuning; what is shown is of the even ones.

BlazePose's sizes and the regressor are measured where their files are. Files and photographs are read alone.
Both tables take four minutes of one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.photographs.crops import named_headings
from genreid.body.body import Body, load_body
from genreid.body.rotations import axis_angle_to_matrix, heading_deg, wrap_deg
from genreid.data.images import read_image
from genreid.data.manifest import JUNK, Manifest
from genreid.errors import GenreidError
from genreid.mesh.accuracy import FLIP_DEG, measure
from genreid.mesh.estimator import MeshEstimator, build_estimator
from genreid.mesh.settings import BlazePoseSettings
from genreid.mesh.shards import MeshEstimates, estimates_of
from genreid.mesh.skeleton import Skeleton
from genreid.zoo.cache import require
from pipeline.artifacts import read_table, read_torch

_CPU = torch.device("cpu")
_DRAWN = (
    "",
    "status ok (%)",
    "heading (°)",
    "flips (%)",
    "vertices (mm)",
    "IoU",
    "ms a crop",
    "spine tilt (°)",
    "lean (°)",
)
_REAL = (
    "",
    "status ok (%)",
    "heading (°)",
    "≤ 45° (%)",
    "> 135° (%)",
    "backs, mean (°)",
    "ms a crop",
    "spine tilt (°)",
    "lean (°)",
)
_BATCH = 64
_WIDTH = 140


@dataclass(frozen=True)
class Found:
    """What an estimator made of a set of images, and the milliseconds of one core that an image took."""

    meshes: MeshEstimates
    ms: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--project", type=Path, default=Path(), help="folder with data/ of the default benchmark"
    )
    parser.add_argument("--angles", type=Path, help="folder of photographs of known heading")
    parser.add_argument("--most", type=int, help="measure an even sample of so many images of each set")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    body, console = load_body(), Console(width=_WIDTH)
    estimators = dict(_estimators(body, arguments.project, console))
    if (arguments.project / "data" / "truth.parquet").exists():
        console.print(drawn_table(estimators, body, arguments.project, arguments.most))
    else:
        console.print("no drawn crops: run `genreid prepare-data`, or name the project with --project")
    if arguments.angles is not None:
        console.print(real_table(estimators, body, arguments.angles, arguments.most))


def drawn_table(estimators: dict[str, MeshEstimator], body: Body, project: Path, most: int | None) -> Table:
    """Every estimator against the truth of the drawn test crops, junk left out."""
    remedy = "make it again with `genreid prepare-data`"
    manifest = Manifest.from_table(read_table(project / "data" / "manifest.parquet", remedy)).select(
        "query", "gallery"
    )
    rows = _some(np.flatnonzero(manifest.person_id != JUNK), most)
    truth = read_table(project / "data" / "truth.parquet", remedy)
    true = estimates_of(manifest.image_id, truth, body.fingerprint, "the truth").select(rows)
    height, width = manifest.height[rows], manifest.width[rows]
    images = [read_image(project / manifest.info.root / manifest.path[row]) for row in rows]
    table = _table(f"Drawn test crops ({len(rows)})", _DRAWN)
    for name, estimator in estimators.items():
        found = _estimate(estimator, images)
        accuracy = measure(found.meshes, true, body, height, width)
        table.add_row(
            name,
            f"{100 * found.meshes.valid.mean():.1f}",
            f"{accuracy.median_heading_error_deg:.1f}",
            f"{100 * accuracy.flip_rate:.1f}",
            f"{accuracy.median_vertex_error_mm:.1f}",
            f"{accuracy.median_iou:.3f}",
            f"{found.ms:.0f}",
            *tilts(found.meshes, body),
        )
    table.add_row("truth", "", "", "", "", "", "", *tilts(true, body))
    return table


def real_table(estimators: dict[str, MeshEstimator], body: Body, folder: Path, most: int | None) -> Table:
    """Every estimator against nominal headings of photographs. Raises GenreidError where there are none."""
    known = [(path, heading) for path, (_, _, heading) in named_headings(folder, "even")]
    known = [known[row] for row in _some(np.arange(len(known)), most)]
    images = [read_image(path) for path, _ in known]
    nominal = np.array([heading for _, heading in known])
    table = _table(f"Photographs of known heading ({len(known)})", _REAL)
    for name, estimator in estimators.items():
        found = _estimate(estimator, images)
        valid = found.meshes.valid
        turned = heading_deg(found.meshes.parameters.global_orient)
        off = wrap_deg(turned - torch.from_numpy(nominal)).abs().numpy()[valid]
        backs = off[np.abs(nominal[valid]) == 180]
        table.add_row(
            name,
            f"{100 * valid.mean():.1f}",
            f"{np.median(off):.1f}",
            f"{100 * (off <= 45).mean():.1f}",
            f"{100 * (off > FLIP_DEG).mean():.1f}",
            f"{backs.mean():.1f}" if len(backs) else "",
            f"{found.ms:.0f}",
            *tilts(found.meshes, body),
        )
    return table


def tilts(meshes: MeshEstimates, body: Body) -> tuple[str, str]:
    """Median and 95th percentile, in degrees, of how far the spine (pelvis to neck) leaves the picture's
    plane, and of how far it leans forwards or back out of the pelvis' own upright: what a turn by 90 degrees
    shows.
    """
    known = meshes.parameters.select(torch.from_numpy(np.flatnonzero(meshes.valid)))
    turns = torch.cat([known.global_orient[:, None], known.body_pose.unflatten(1, (-1, 3))], dim=1)
    rotations = axis_angle_to_matrix(turns)
    neck = Skeleton.of(body).pose(rotations, known.betas)[:, body.joint_names.index("neck")]
    own = (rotations[:, 0].transpose(1, 2) @ neck[..., None])[..., 0]
    angles = torch.atan2(neck[:, 2], -neck[:, 1]), torch.atan2(own[:, 2], own[:, 1])
    pairs = [np.percentile(np.abs(np.degrees(angle.numpy())), (50, 95)) for angle in angles]
    return tuple(f"{median:.1f}, {most:.1f}" for median, most in pairs)  # type: ignore[return-value]


def _estimators(body: Body, project: Path, console: Console) -> Iterator[tuple[str, MeshEstimator]]:
    yield "mean_pose", build_estimator("mean_pose", body, regressor=None, truth=None, device=_CPU)
    regressor = project / "models" / "regressor.pt"
    if regressor.exists():
        weights = read_torch(regressor, "fit it again with `genreid fit-regressor`")
        yield "regressor", build_estimator("regressor", body, regressor=weights, truth=None, device=_CPU)
    for size in ("lite", "full", "heavy"):
        settings = BlazePoseSettings(size, 0.34, "drop")  # type: ignore[arg-type]
        try:
            model = require(settings.model_name)
        except GenreidError as error:
            console.print(f"left out: {error}", markup=False, soft_wrap=True)
            continue
        yield (
            settings.model_name,
            build_estimator(
                "blazepose", body, regressor=None, truth=None, blazepose=(settings, model), device=_CPU
            ),
        )


def _estimate(estimator: MeshEstimator, images: list[np.ndarray]) -> Found:
    """Time is the process's own: other programs on the machine do not count, one core does."""
    estimator.estimate([""], images[:1])  # what is made at first use is no image's fault
    parts, started = [], time.process_time()
    for start in range(0, len(images), _BATCH):
        some = images[start : start + _BATCH]
        parts.append(estimator.estimate([""] * len(some), some))
    ms = 1000 * (time.process_time() - started) / len(images)
    whole = MeshEstimates.without_mesh(["failed"] * len(images))
    for number, part in enumerate(parts):
        whole = whole.fill(np.arange(len(part)) + number * _BATCH, part)
    return Found(whole, ms)


def _some(rows: np.ndarray, most: int | None) -> np.ndarray:
    if most is None or most >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _table(title: str, header: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left")
    return table


if __name__ == "__main__":
    main()
