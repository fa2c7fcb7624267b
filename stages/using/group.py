"""`genreid group`: whose images are whose, in a folder that nobody has labelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.options import Device, Engine, On, ShowProgress, Workers
from stages.using.checkpoint import BatchSize, CheckpointOption
from stages.using.group_picture import GroupPicture, draw_groups
from stages.using.grouping import (
    MOST_QUESTIONS,
    CorrectionsFile,
    FalseMatchRate,
    LeastSimilarity,
    QuestionsFile,
    check_outputs,
    clustering_settings,
    require_curve,
    write_questions,
)
from stages.using.options import CameraPattern
from stages.using.views import Views

if TYPE_CHECKING:
    import pyarrow as pa

    from genreid.deployment.gallery import Gallery
    from genreid.deployment.grouped import Grouped
    from genreid.evaluation.matches import MatchCurve
    from stages.shared.run import Project
    from stages.using.checkpoint import Checkpoint
    from stages.using.matches import Matching

_BESIDE = 4
"""How many times higher and lower false match rates are of which the number of groups is said as well."""
_SEED = 1


def group(
    images: Annotated[
        Path,
        typer.Argument(
            help="A folder of images of persons, or what `genreid embed` wrote: a file, or lance:FOLDER."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The Parquet file to write: a row an image.")
    ] = Path("groups.parquet"),
    questions: QuestionsFile = Path("group_questions.csv"),
    picture: GroupPicture = Path("groups.png"),
    corrections: CorrectionsFile = None,
    gallery: Annotated[
        Path | None,
        typer.Option(
            help="A table, or lance:FOLDER, of known persons: their groups get their names.",
            show_default=False,
        ),
    ] = None,
    person_pattern: Annotated[
        str,
        typer.Option(metavar="REGEX", help="Finds a known person's name in a path, as (?P<person>…)."),
    ] = r"^(?P<person>[^/]+)/",
    at_false_match_rate: FalseMatchRate = None,
    least_similarity: LeastSimilarity = None,
    checkpoint: CheckpointOption = None,
    views: Annotated[
        Views, typer.Option(help="As in `genreid embed`; auto: as evaluate recommends.")
    ] = Views.auto,
    camera_pattern: CameraPattern = None,
    batch_size: BatchSize = 128,
    device: Device = "auto",
    workers: Workers = 0,
    on: On = Engine.local,
    shared: Annotated[
        Path | None,
        typer.Option(
            help="With --on ray: a folder that every node sees at this place; rows and what is made of them "
            "go there while it takes.",
            show_default=".genreid/shared",
        ),
    ] = None,
    progress: ShowProgress = True,
) -> None:
    """Say whose images are whose: groups of one person each, how sure they are, and what to ask a person.

    The table has, for each image, its group (numbered by its first image), how many images that has, its
    person's name where a gallery knows it, and its confidence: how much more the image is like its own group
    than like the nearest other one, 0 to 1. It keeps the embeddings, so that `genreid join` can add images.
    Neighbours are found by the section clustering of params.yaml (k1: about as many images as a person has).

    Examples:

        genreid group crops/

        genreid group crops/ --camera-pattern '^(?P<camera>[^_]+)_' --corrections group_questions.csv

        genreid group crops/ --gallery known.parquet

        genreid group embeddings.parquet --on ray --shared /mnt/all/scratch
    """
    from genreid.deployment.corrections import links_of, read_corrections
    from pipeline.errors import PipelineError
    from stages.shared.run import Options, Project

    project = Project.open(Options(device=device, workers=workers, progress=progress, on=on))
    if shared is not None and on != Engine.ray:
        raise PipelineError("--shared: one machine needs no such folder: leave it out, or add --on ray")
    check_outputs(project, output, questions, corrections, picture)
    answers = read_corrections(corrections) if corrections else []

    # These bring torch, which a wrong path need not wait for.
    from genreid.deployment.gallery import Gallery
    from genreid.deployment.group_table import grouped_table
    from genreid.deployment.grouped import Grouped, People
    from genreid.deployment.groups import Likeness
    from pipeline.artifacts import write_table
    from stages.using.likeness import is_shared_out, likeness_by_workers
    from stages.using.matches import matching_for
    from stages.using.stores import store_at

    table, own, chosen = _embedded(project, images, checkpoint, views, camera_pattern, batch_size)
    matching = matching_for(project, chosen, own.info.views, centred=own.means is not None)
    cut = least_similarity
    if cut is None:
        cut = _cut(own, require_curve(matching, chosen, own.info.views), at_false_match_rate)
    known = Gallery.from_table(store_at(gallery).table(), str(gallery)) if gallery else None
    people = People.of(own, known, str(gallery), person_pattern)
    links = links_of(answers, corrections, own.path, people.name)
    beside = _cuts_beside(cut, matching)
    settings = clustering_settings(project)
    likeness = None
    if is_shared_out(project, len(people.rows), settings):
        least = min([cut, *beside.values()])
        likeness = likeness_by_workers(project, shared, people.rows, settings, least)
    with project.console.status("grouping"):
        made = Grouped(people, likeness or Likeness.of(people.rows, settings), cut, links)
        facts = _facts(made, matching, beside, fits=at_false_match_rate is None and least_similarity is None)
    asked = made.questions(MOST_QUESTIONS)
    write_table(output, grouped_table(table, made.groups))
    draw_groups(project, picture, own, made.groups)
    write_questions(questions, asked, own.path, matching, answers)
    project.show("Groups", {**facts, "written to": output, f"{len(asked)} questions": questions})


def _embedded(
    project: Project,
    images: Path,
    checkpoint: str | None,
    views: Views,
    camera_pattern: str | None,
    batch_size: int,
) -> tuple[pa.Table, Gallery, Checkpoint]:
    """The images' table and what is readable of it: of a folder, which is embedded, or of a table that
    was."""
    from genreid.deployment.gallery import Gallery
    from pipeline.errors import PipelineError
    from stages.using.checkpoint import open_checkpoint
    from stages.using.embed import embedded_folder
    from stages.using.gallery import checkpoint_of
    from stages.using.stores import store_at

    store = store_at(images)
    if store.is_named():
        if camera_pattern is not None:
            raise PipelineError(
                f"--camera-pattern: {images} is embedded already; leave it out, or name the folder"
            )
        table = store.table()
        own = Gallery.from_table(table, store.place)
        return table, own, checkpoint_of(project, own, images, checkpoint, views)
    chosen = open_checkpoint(project, checkpoint)
    table = embedded_folder(project, images, chosen, views, camera_pattern, batch_size)
    return table, Gallery.from_table(table, str(images)), chosen


def _cut(own: Gallery, curve: MatchCurve, rate: float | None) -> float:
    """That of the rate, or where none is asked for, the one that fits the folder."""
    from genreid.deployment.fitting_cut import fitting_cut

    if rate is not None:
        return curve.cut_at(rate)
    return fitting_cut(own.embedding, own.camera_number, curve, seed=_SEED)


def _cuts_beside(cut: float, matching: Matching | None) -> dict[float, float]:
    """The cuts of a higher and a lower false match rate than the cut's own, as far as they are known."""
    if matching is None:
        return {}
    own = matching.curve.false_matches_at(cut)
    rates = [rate for rate in (own * _BESIDE, own / _BESIDE) if rate < 1 and matching.curve.tells(rate)]
    return {rate: matching.curve.cut_at(rate) for rate in rates}


def _facts(
    made: Grouped, matching: Matching | None, beside: dict[float, float], *, fits: bool
) -> dict[str, object]:
    """What people want to know first. fits: whether the cut is the one that fits the folder."""
    import numpy as np

    from genreid.deployment.fitting_cut import likely_persons

    num_images = len(made.people.path)
    facts: dict[str, object] = {"images": num_images, "persons": made.num_groups}
    if fits:
        facts["persons, likely"] = "{:,} to {:,}".format(*likely_persons(made.num_groups, num_images))
    if matching is not None:
        facts["pairs of strangers above the cut"] = matching.odds(made.cut)
    for rate, cut in beside.items():
        facts[f"persons at a false match rate of {rate:.2g}"] = replace(made, cut=cut).num_groups
    facts["seen once"] = int(np.count_nonzero(made.images == 1))
    if made.people.names:
        facts["images of known persons"] = sum(one is not None for one in made.person)
    return {**facts, "cut (cosine)": made.cut}
