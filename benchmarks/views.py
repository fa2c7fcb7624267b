"""How good rotated views are: `python -m benchmarks.views`, in a project whose `dvc repro` has run.

Every way of making a view beside keeping the image, on the test queries that `evaluate` takes: error and
likeness within the person's true silhouette, error over the whole picture, and rank-1 of the view as a query
(by the warm-up encoder, which never saw a view) as a share of the image's own, and how far all views at an
angle are from real images in its eyes. Nothing is learnt here; generators are those of the project.

With --angles FOLDER no project is needed: views are judged on photographs of known heading, of which the odd
persons are for tuning and the even ones are shown (`0002_c1_h+090.png` is person 2 before camera 1 at +90
degrees). The photographs are read alone; what --pictures writes then shows real persons.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.photographs.run import SIZES, Asked, files_of_repair, judge_on_photographs
from benchmarks.view_sheet import view_sheet
from genreid.body.body import Body
from genreid.errors import GenreidError
from genreid.evaluation.generated_views import draw_queries
from genreid.evaluation.generation import Painter, ViewedImages, embed_pictures
from genreid.evaluation.ranking import rank
from genreid.evaluation.retrieval import Pair
from genreid.evaluation.similarity import ViewErrors, frechet_distance, view_errors
from genreid.evaluation.true_views import true_views
from genreid.mesh.shards import MeshEstimates, estimates_of
from genreid.models.checkpoint import load_encoder, load_generator
from genreid.models.encoder import IdentityEncoder
from genreid.render.backend import choose_renderer
from genreid.render.views import ViewStore
from genreid.warping.images import WarpedImages
from genreid.warping.warper import Warper
from pipeline.artifacts import read_table, write_bytes
from pipeline.errors import PipelineError
from pipeline.pictures import png
from stages.shared.body import open_body
from stages.shared.data import image_set, read_checkpoint, read_manifest, read_truth
from stages.shared.run import Options, Project

_NUM_PICTURED = 8
_PICTURED_DEG = (90, 180, 270)
_WARPED = "warped along estimated bodies"
_REPAIRED = "warped along estimated bodies, repaired by the generator of {}"
_SHORT = {
    _WARPED: "warped",
    _REPAIRED.format("pretraining"): "repaired",
    _REPAIRED.format("joint training"): "joint",
}

MakeViews = Callable[[np.ndarray, int], np.ndarray]
"""Positions (B,) of queries and an angle in degrees → pictures (B, H, W, 3) uint8."""


@dataclass(frozen=True)
class Row:
    """One way of making views. errors, found and frechet (Y,): of each angle; cpu_ms: of a view."""

    name: str
    errors: list[ViewErrors]
    found: list[float]
    frechet: list[float]
    cpu_ms: float

    def line(self, own: float) -> str:
        means = {
            name: np.mean([error.means()[name] for error in self.errors]) for name in self.errors[0].means()
        }
        l1_by_yaw = " ".join(f"{error.means()['person_l1']:.3f}" for error in self.errors)
        found_by_yaw = " ".join(f"{found:.2f}" for found in self.found)
        return (
            f"| {self.name} | {means['person_l1']:.3f} | {means['person_ssim']:.3f} | {means['l1']:.3f} | "
            f"{np.mean(self.found):.3f} | {np.mean(self.found) / own:.2f} | {np.mean(self.frechet):.3f} | "
            f"{l1_by_yaw} | {found_by_yaw} | {self.cpu_ms:.1f} |"
        )


class Scale:
    """What every way is measured by."""

    def __init__(self, viewed: ViewedImages, pair: Pair, judge: IdentityEncoder, index: np.ndarray) -> None:
        self.viewed, self.index, self._judge = viewed, index, judge
        ids, cameras = pair.queries.labels
        self._labels = ids[index], cameras[index]
        images = pair.gallery.images
        parts = np.array_split(np.arange(len(images)), max(1, len(images) // 128))
        gallery = np.concatenate([embed_pictures(judge, images.load(part)) for part in parts])
        self._gallery = (gallery, *pair.gallery.labels)

    def judged(self, pictures: np.ndarray) -> tuple[float, float]:
        """Of pictures (B, H, W, 3) in the place of their images: rank-1 as a share, and the Fréchet distance
        of their embeddings to those of the gallery."""
        rows = embed_pictures(self._judge, pictures)
        found = float(rank(rows, *self._labels, *self._gallery, max_rank=1).cmc[0])
        return found, frechet_distance(rows, self._gallery[0])

    def measure(self, name: str, make: MakeViews) -> Row:
        begin = time.process_time()
        views = [make(self.index, yaw) for yaw in self.viewed.yaws_deg]
        cpu_ms = 1e3 * (time.process_time() - begin) / (len(views) * len(self.index))
        true = [self.viewed.true_views(self.index, yaw) for yaw in self.viewed.yaws_deg]
        errors = [view_errors(pictures, *truth) for pictures, truth in zip(views, true, strict=True)]
        found, frechet = zip(*(self.judged(pictures) for pictures in views), strict=True)
        return Row(name, errors, list(found), list(frechet), cpu_ms)


def painted(viewed: ViewedImages, painter: Painter) -> MakeViews:
    """By a generator, from codes or on what is warped."""

    def make(index: np.ndarray, yaw_deg: int) -> np.ndarray:
        codes = painter.appearance(viewed.images.load(index))
        return painter.paint(viewed.shown(index, yaw_deg), codes)

    return make


def painters_of(project: Project) -> dict[str, tuple[Painter, bool]]:
    """The generators that there are, by the stage that trained them, each with whether it repairs."""
    stages = {"pretraining": ("generator", "encoder"), "joint training": ("joint", "joint")}
    painters = {}
    for stage, keys in stages.items():
        if all(project.path(key).exists() for key in keys):
            generator, _ = load_generator(*read_checkpoint(project, keys[0]))
            encoder = load_encoder(*read_checkpoint(project, keys[1]))
            painters[stage] = Painter(generator, encoder), generator.repairs
    return painters


def warped(persons: WarpedImages) -> MakeViews:
    """By warping, before the image's own background."""
    return lambda index, yaw_deg: persons.pictures(index, np.full(len(index), yaw_deg))


def bodies_of(project: Project, ids: list[str], body: Body, truth: pa.Table) -> dict[str, MeshEstimates]:
    shards = [read_table(part, project.remedy("mesh")) for part in project.parts("mesh")]
    found = estimates_of(ids, pa.concat_tables(shards), body.fingerprint, project.paths.mesh)
    return {"estimated": found, "true": estimates_of(ids, truth, body.fingerprint, project.paths.truth)}


def write_pictures(path: Path, viewed: ViewedImages, index: np.ndarray, ways: dict[str, MakeViews]) -> None:
    """Persons spread over the queries, by every way that turns along estimated bodies."""
    chosen = index[np.linspace(0, len(index) - 1, _NUM_PICTURED).astype(np.int64)]
    shown = {_SHORT[name]: make for name, make in ways.items() if name in _SHORT}
    columns = {}
    for yaw_deg in _PICTURED_DEG:
        views = {name: make(chosen, yaw_deg) for name, make in shown.items()}
        columns[yaw_deg] = {**views, "true": viewed.true_views(chosen, yaw_deg)[0]}
    write_bytes(path, png(view_sheet(viewed.images.load(chosen), columns)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=120, help="test queries that are looked at")
    parser.add_argument(
        "--pictures",
        type=Path,
        help="a .png to write: some persons from some sides; with --angles a folder for such sheets",
    )
    known = parser.add_argument_group("photographs of known heading")
    known.add_argument("--angles", type=Path, metavar="FOLDER", help="where they are")
    known.add_argument("--persons", choices=("even", "odd", "all"), default="even", help="by their numbers")
    known.add_argument(
        "--sizes", nargs="+", choices=SIZES, default=("full", "heavy"), help="of BlazePose, for the bodies"
    )
    known.add_argument(
        "--encoder", type=Path, metavar="FILE", help="the judge's checkpoint; else ImageNet's MobileNetV2"
    )
    known.add_argument(
        "--repair",
        type=Path,
        nargs=2,
        metavar=("GENERATOR", "ENCODER"),
        help="checkpoints of a generator that repairs, and of the encoder whose codes it knows",
    )
    arguments = parser.parse_args()
    if arguments.angles is None:
        judge_drawn_persons(arguments.images, arguments.pictures)
        return
    repair = files_of_repair(arguments.repair)
    asked = Asked(
        arguments.angles,
        arguments.persons,
        arguments.sizes,
        arguments.encoder,
        repair,
        arguments.pictures,
    )
    try:
        judge_on_photographs(asked)
    except (GenreidError, PipelineError) as error:
        raise SystemExit(str(error)) from None


def judge_drawn_persons(num_images: int, pictures: Path | None) -> None:
    """Print the table of the project's drawn test persons; pictures: a file to write."""
    project = Project.open(Options())
    truth, pair = read_truth(project), Pair.of(read_manifest(project), "test", partial(image_set, project))
    queries = pair.queries
    body = open_body(project.root, queries.manifest.info.body)
    store, true_view = ViewStore(project.parts("views")), true_views(truth, body)
    viewed = ViewedImages(queries.images, store, true_view)
    judge = load_encoder(*read_checkpoint(project, "encoder")).eval()
    index = draw_queries(viewed, num_images, 1)

    scale = Scale(viewed, pair, judge, index)
    warper = Warper(body, choose_renderer("auto", project.device))
    ways: dict[str, MakeViews] = {"the image, unturned": lambda index, yaw_deg: queries.images.load(index)}
    painters = painters_of(project)
    for name, (painter, repairs) in painters.items():
        if not repairs:
            ways[f"painted by the generator of {name}"] = painted(viewed, painter)
    for kind, bodies in bodies_of(project, queries.images.image_id, body, truth).items():
        persons = WarpedImages(warper, queries.images, bodies.parameters, bodies.camera, bodies.mask)
        ways[f"warped along {kind} bodies"] = warped(persons)
        of_kind = ViewedImages(queries.images, store, true_view, persons=persons)
        for name, (painter, repairs) in painters.items():
            if repairs:
                ways[f"warped along {kind} bodies, repaired by the generator of {name}"] = painted(
                    of_kind, painter
                )
    own, _ = scale.judged(queries.images.load(index))
    print(f"{len(index)} queries, {len(viewed.yaws_deg)} angles; rank-1 of the images {own:.3f}\n")
    yaws = " ".join(str(yaw) for yaw in viewed.yaws_deg)
    print(
        "| view | person L1 | person SSIM | L1 | identity kept | of the image's | Fréchet | "
        f"person L1 at {yaws} | identity kept at {yaws} | CPU ms |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---|---|---:|")
    for name, make in ways.items():
        print(scale.measure(name, make).line(own), flush=True)
    if pictures is not None:
        write_pictures(pictures, viewed, index, ways)


if __name__ == "__main__":
    main()
