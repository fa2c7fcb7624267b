"""`genreid group`: whose images are whose, in a folder that nobody has labelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stages.shared.options import Device, ShowProgress, Workers
from stages.using.checkpoint import BatchSize, CheckpointOption
from stages.using.options import CameraPattern
from stages.using.views import Views

if TYPE_CHECKING:
    import pyarrow as pa

    from genreid.deployment.corrections import Correction
    from genreid.deployment.gallery import Gallery
    from genreid.deployment.grouped import Grouped
    from stages.shared.run import Project
    from stages.using.checkpoint import Checkpoint
    from stages.using.matches import Matching

FALSE_MATCH_RATE = 0.005
_FEWER, _MORE = 0.02, 0.001
"""False match rates between whose numbers of groups the number of persons is said to be."""
_MOST_QUESTIONS = 100
_ASKED = {"merged": "in one group: the same person?", "apart": "in two groups: different persons?"}


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
    questions: Annotated[
        Path, typer.Option(help="The CSV file to write: pairs to look at, the least certain first.")
    ] = Path("group_questions.csv"),
    corrections: Annotated[
        Path | None,
        typer.Option(
            help="Answers to such questions (columns answer, one, other): same or different.",
            show_default=False,
        ),
    ] = None,
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
    at_false_match_rate: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Pairs are evidence if so alike that no larger share of strangers is."
        ),
    ] = FALSE_MATCH_RATE,
    least_similarity: Annotated[
        float | None,
        typer.Option(
            min=-1.0, max=1.0, help="The same cut as a cosine similarity, known or not.", show_default=False
        ),
    ] = None,
    checkpoint: CheckpointOption = None,
    views: Annotated[
        Views, typer.Option(help="As in `genreid embed`; auto: as evaluate recommends.")
    ] = Views.auto,
    camera_pattern: CameraPattern = None,
    batch_size: BatchSize = 128,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
) -> None:
    """Say whose images are whose: groups of one person each, how sure they are, and what to ask a person.

    The table has, for each image, its group (numbered by its first image), how many images that has, its
    person's name where a gallery knows it, and its confidence: how much more the image is like its own group
    than like the nearest other one, 0 to 1. Neighbours are found by train_joint.clustering in params.yaml
    (k1: about as many images as a person has).

    Examples:

        genreid group crops/

        genreid group crops/ --camera-pattern '^(?P<camera>[^_]+)_' --corrections group_questions.csv

        genreid group crops/ --gallery known.parquet
    """
    from genreid.deployment.corrections import is_unanswered, links_of, read_corrections
    from pipeline.outputs import holds
    from stages.shared.run import Options, Project
    from stages.using.pictures import check_output

    project = Project.open(Options(device=device, workers=workers, progress=progress))
    check_output(project, output, "group", holds(b"genreid.groups"))
    answers = read_corrections(corrections) if corrections else []
    if corrections is None or not questions.exists() or not corrections.samefile(questions):
        check_output(project, questions, "group", is_unanswered)

    # These bring torch, which a wrong path need not wait for.
    from genreid.deployment.gallery import Gallery
    from genreid.deployment.grouped import Grouped, People
    from genreid.deployment.groups import Likeness
    from stages.using.matches import matching_for
    from stages.using.stores import store_at

    table, own, chosen = _embedded(project, images, checkpoint, views, camera_pattern, batch_size)
    matching = matching_for(project, chosen, own.info.views, centred=own.means is not None)
    cut = _cut(matching, chosen, own, at_false_match_rate, least_similarity)
    known = Gallery.from_table(store_at(gallery).table(), str(gallery)) if gallery else None
    people = People.of(own, known, str(gallery), person_pattern)
    links = links_of(answers, corrections, own.path, people.name)
    with project.console.status("grouping"):
        made = Grouped(people, Likeness.of(people.rows, _settings(project)), cut, links)
        facts = _facts(made, matching)
    _write(output, table, made)
    num = _write_questions(questions, made, matching, answers)
    project.show("Groups", {**facts, "written to": output, f"{num} questions": questions})


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


def _cut(
    matching: Matching | None, chosen: Checkpoint, own: Gallery, rate: float, similarity: float | None
) -> float:
    """The cosine below which pairs are no evidence. Raises PipelineError where nobody knows it."""
    from pipeline.errors import PipelineError

    if similarity is not None:
        return similarity
    if matching is None:
        raise PipelineError(
            f"nobody has counted the matches of {chosen.place} with --views {own.info.views}: name the "
            "cosine below which two images are never of one person by --least-similarity (0.5, say), or run "
            "`dvc repro` with this way in evaluate.test_views"
        )
    return matching.curve.cut_at(rate)


def _settings(project: Project) -> Any:
    from pipeline.params import section
    from stages.shared.sections import stage_settings

    return section(project.params, "train_joint", stage_settings()["train_joint"]).clustering


def _facts(made: Grouped, matching: Matching | None) -> dict[str, object]:
    """What people want to know first."""
    import numpy as np

    facts: dict[str, object] = {"images": len(made.people.path), "persons": made.num_groups}
    if matching is not None:
        rates = [rate for rate in (_FEWER, _MORE) if matching.curve.tells(rate)]
        numbers = [replace(made, cut=matching.curve.cut_at(rate)).num_groups for rate in rates]
        told = " and ".join(f"{rate:g}" for rate in rates)
        facts[f"persons at false match rates of {told}"] = " and ".join(map(str, numbers))
    facts["seen once"] = int(np.count_nonzero(made.images == 1))
    if made.people.names:
        facts["images of known persons"] = sum(one is not None for one in made.person)
    return {**facts, "cut (cosine)": made.cut}


def _write(output: Path, table: pa.Table, made: Grouped) -> None:
    """A row an image of the folder; an unreadable one is in no group."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from pipeline.artifacts import write_table

    there = pc.is_valid(table["embedding"]).to_numpy(zero_copy_only=False)
    columns = {name: table[name] for name in ("path", "status", "detail", "camera")}
    for name, values, kind in (
        ("group", made.labels, pa.int64()),
        ("images", made.images, pa.int64()),
        ("person", made.person, pa.string()),
        ("confidence", made.confidence, pa.float32()),
    ):
        column = np.full(len(there), None, object)
        column[there] = values
        columns[name] = pa.array(column.tolist(), kind)
    write_table(output, pa.table(columns).replace_schema_metadata({b"genreid.groups": b"1"}))


def _write_questions(path: Path, made: Grouped, matching: Matching | None, answers: list[Correction]) -> int:
    """What has been answered, and below it what is open; the number of open ones."""
    from genreid.deployment.corrections import table_text
    from pipeline.artifacts import write_bytes

    done: list[dict[str, object]] = [
        {"answer": one.answer, "one": one.one, "other": one.other} for one in answers
    ]
    open_ones = made.questions(_MOST_QUESTIONS)
    asked = [
        {
            "one": made.people.path[one.one],
            "other": made.people.path[one.other],
            "asked": _ASKED[one.kind],
            "cosine": f"{one.cosine:.4f}",
            "likeness": f"{one.likeness:.4f}",
            "false_matches": "" if matching is None else matching.odds(one.cosine),
        }
        for one in open_ones
    ]
    write_bytes(path, table_text([*done, *asked]).encode())
    return len(open_ones)
