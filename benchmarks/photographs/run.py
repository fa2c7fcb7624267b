"""Every way on photographs of known angle, one after another, and what is printed of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.photographs.crops import Persons, Photographs, read_photographs
from benchmarks.photographs.errors import colours
from benchmarks.photographs.judge import Judge, open_encoder
from benchmarks.photographs.means import mean_with_true, mean_with_turned, means_without_turning
from benchmarks.photographs.scale import Measured, Scale
from benchmarks.photographs.sheets import write_sheets
from benchmarks.photographs.tables import head_of_ways, line_of_way, table_by_angle, table_of_means
from benchmarks.photographs.ways import (
    People,
    Way,
    drawn_unturned,
    in_two_colours,
    kept,
    nearest_other,
    next_angle,
    repaired,
    true_aside,
    warped,
)
from genreid.body.body import Body, load_body
from genreid.errors import GenreidError
from genreid.evaluation.generation import Painter
from genreid.mesh.estimator import build_estimator
from genreid.mesh.settings import BlazePoseSettings, PoseSize
from genreid.mesh.shards import MeshEstimates
from genreid.models.checkpoint import load_generator
from genreid.render.backend import choose_renderer
from genreid.warping.warper import Warper
from genreid.zoo.cache import require
from pipeline.artifacts import read_torch

SIZES: tuple[PoseSize, ...] = ("lite", "full", "heavy")
"""Of BlazePose. Masks and bodies of the last, which is the most exact, are those that all is measured by."""
_LEAST_SCORE = 0.34
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Asked:
    """folder: of photographs. persons: by their numbers. sizes: of BlazePose, whose bodies are turned.
    encoder: the judge's checkpoint, or None. repair: checkpoints of a generator that repairs and of the
    encoder whose codes it knows, or None. pictures: a folder for sheets, or None."""

    folder: Path
    persons: Persons
    sizes: Sequence[PoseSize]
    encoder: Path | None
    repair: tuple[Path, Path] | None
    pictures: Path | None


def judge_on_photographs(asked: Asked) -> None:
    """Print all tables. Raises GenreidError for files that are missing or are none."""
    judge = Judge.open(asked.encoder)
    painter = None if asked.repair is None else open_painter(*asked.repair)
    photographs = read_photographs(asked.folder, asked.persons, judge.size_px)
    body = load_body()
    warper = Warper(body, choose_renderer("auto", _CPU))
    people = dict(found_people(photographs, asked.sizes, body, warper))
    best = people[f"{_last_size(people)}, masks"]
    scale = Scale(best, judge)
    ways = controls(scale) | turning(people, painter, body)
    print(_heading(photographs, judge, people) + "\n\n" + head_of_ways())
    measured: list[Measured] = []
    for name, way in ways.items():
        _tell(name)
        measured.append(scale.measure(name, way))
        print(line_of_way(measured[-1], measured[0], photographs.person), flush=True)
    print("\n" + table_by_angle(measured, photographs.person) + "\n", flush=True)
    _tell("mean embeddings")
    made = [one for one in measured if one.name in turning(people, painter, body)]
    means = means_without_turning(scale, {f"warped ({_last_size(people)}, masks)": warped(best)})
    means += [mean_with_turned(scale, one.name, one.embedding) for one in made] + [mean_with_true(scale)]
    print(table_of_means(means, means[2].name, photographs.person), flush=True)
    if asked.pictures is not None:
        write_sheets(asked.pictures, best)


def controls(scale: Scale) -> dict[str, Way]:
    """What stands beside the views, first the image itself."""
    people, real = scale.people, scale.centred(scale.embedding)
    return {
        "the image, unturned": kept(people),
        "the image, its person in two flat colours": in_two_colours(people, colours),
        "the image drawn through its mesh, unturned": drawn_unturned(people),
        "another person's photograph, the nearest": nearest_other(people, real, turned=False),
        "the same, from the side asked for": nearest_other(people, real, turned=True),
        "the person's photograph at the next angle": next_angle(people),
        "the true photograph, 2 pixels aside": true_aside(people),
    }


def turning(people: dict[str, People], painter: Painter | None, body: Body) -> dict[str, Way]:
    """What turns a person."""
    ways: dict[str, Way] = {f"warped ({name})": warped(one) for name, one in people.items()}
    if painter is not None:
        renderer = choose_renderer("auto", _CPU)
        for name, one in people.items():
            ways[f"warped and repaired ({name})"] = repaired(one, painter, body, renderer)
    return ways


def found_people(
    photographs: Photographs, sizes: Sequence[PoseSize], body: Body, warper: Warper
) -> Iterator[tuple[str, People]]:
    """The persons by each size of BlazePose whose file is here, along masks and along outlines."""
    found = False
    for size in (size for size in SIZES if size in sizes):
        settings = BlazePoseSettings(size, _LEAST_SCORE, "drop")
        try:
            model = require(settings.model_name)
        except GenreidError as error:
            _tell(f"left out: {error}")
            continue
        _tell(f"bodies by {settings.model_name}")
        meshes = _bodies(photographs, settings, model, body)
        found = True
        for use_masks, how in ((True, "masks"), (False, "outlines")):
            yield f"{size}, {how}", People(photographs, meshes, warper, use_masks=use_masks)
    if not found:
        raise GenreidError("none of these sizes of BlazePose is here: `genreid models get blazepose_heavy`")


def open_painter(generator: Path, encoder: Path) -> Painter:
    """A generator that repairs, and the encoder whose codes it knows. Raises GenreidError."""
    if not generator.is_file():
        raise GenreidError(
            f"{generator}: no such file; give a generator's checkpoint, as models/generator.pt"
        )
    checkpoint = read_torch(generator, "give a generator's checkpoint, as models/generator.pt")
    network, _ = load_generator(checkpoint, str(generator))
    if not network.repairs:
        raise GenreidError(
            f"{generator}: this generator paints from codes and repairs no views; train one by the recipe "
            "`repaired`"
        )
    return Painter(network, open_encoder(encoder)[0])


def _bodies(photographs: Photographs, settings: BlazePoseSettings, model: Path, body: Body) -> MeshEstimates:
    estimator = build_estimator(
        "blazepose", body, regressor=None, truth=None, blazepose=(settings, model), device=_CPU
    )
    return estimator.estimate(photographs.image_id, photographs.natives)


def _last_size(people: dict[str, People]) -> PoseSize:
    return next(size for size in reversed(SIZES) if f"{size}, masks" in people)


def _heading(photographs: Photographs, judge: Judge, people: dict[str, People]) -> str:
    nobody = {name.split(",")[0]: int((~one.found).sum()) for name, one in people.items()}
    without = ", ".join(f"{num} by {size}" for size, num in nobody.items())
    num = len(np.unique(photographs.person))
    return (
        f"{len(photographs)} photographs of {num} persons, each turned to seven other angles; judge: "
        f"{judge.name} at {judge.size_px[0]}×{judge.size_px[1]}; without a body: {without}"
    )


def _tell(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


def files_of_repair(paths: Sequence[Path] | None) -> tuple[Path, Path] | None:
    """The two that a command line has."""
    return None if paths is None else (paths[0], paths[1])
