"""`genreid join`: new images join the groups that `genreid group` made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.options import Device, ShowProgress, Workers
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

if TYPE_CHECKING:
    import pyarrow as pa

    from genreid.deployment.gallery import Gallery
    from genreid.deployment.group_table import Groups
    from stages.shared.run import Project
    from stages.using.checkpoint import Checkpoint


def join(
    images: Annotated[
        Path,
        typer.Argument(
            help="A folder of new images, or what `genreid embed` wrote of it: a file, or lance:FOLDER."
        ),
    ],
    groups: Annotated[
        Path, typer.Argument(help="The table of groups that they join, which `genreid group` wrote.")
    ] = Path("groups.parquet"),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The Parquet file to write, with all images; else the one that they join.",
            show_default=False,
        ),
    ] = None,
    questions: QuestionsFile = Path("join_questions.csv"),
    picture: GroupPicture = Path("groups.png"),
    corrections: CorrectionsFile = None,
    at_false_match_rate: FalseMatchRate = None,
    least_similarity: LeastSimilarity = None,
    checkpoint: CheckpointOption = None,
    batch_size: BatchSize = 128,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
) -> None:
    """Put new images into the groups that are there, or into new ones, without grouping all again.

    The groups that are there stay as they are, but for what is added: their numbers and names are kept, none
    is taken apart, and no two become one. Only those near a new image are looked at, so that it takes as long
    as there are new images. Cameras and views are those of the groups. Now and then, group all images anew.

    Examples:

        genreid join new_crops/

        genreid join new_crops/ groups.parquet --output more_groups.parquet
    """
    from genreid.deployment.corrections import links_of, read_corrections
    from stages.shared.run import Options, Project

    project = Project.open(Options(device=device, workers=workers, progress=progress))
    output = groups if output is None else output
    check_outputs(project, output, questions, corrections, picture)
    answers = read_corrections(corrections) if corrections else []

    # These bring torch, which a wrong path need not wait for.
    from genreid.deployment.group_table import read_groups, with_joined
    from genreid.deployment.grouped import Grouped
    from genreid.deployment.groups import Likeness
    from genreid.deployment.joining import Joining
    from pipeline.artifacts import read_table, write_table
    from stages.using.matches import matching_for

    there = read_table(groups, "make it by `genreid group FOLDER`")
    old = read_groups(there, str(groups))
    table, own, chosen = _embedded(project, images, old.gallery, groups, checkpoint, batch_size)
    settings = clustering_settings(project)
    named = [path for answer in answers for path in (answer.one, answer.other)]
    joining = Joining.of(own, old, settings.k1, named)
    info = old.gallery.info
    matching = matching_for(project, chosen, info.views, centred=old.gallery.means is not None)
    cut = old.groups.cut if least_similarity is None else least_similarity
    if least_similarity is None and at_false_match_rate is not None:
        cut = require_curve(matching, chosen, info.views).cut_at(at_false_match_rate)
    people = joining.people
    links = links_of(answers, corrections, people.path, people.name)
    with project.console.status("joining"):
        made = Grouped(people, Likeness.of(people.rows, settings), cut, links)
        joined = joining.joined(made)
        asked = joining.questions(made, MOST_QUESTIONS)
    whole = with_joined(there, table, old.groups, joined)
    write_table(output, whole)
    both = read_groups(whole, str(output))
    draw_groups(project, picture, both.gallery, both.groups)
    write_questions(questions, asked, people.path, matching, answers)
    facts = _facts(joined, old.groups)
    project.show("Joined", {**facts, "written to": output, f"{len(asked)} questions": questions})


def _embedded(
    project: Project, images: Path, old: Gallery, place: Path, checkpoint: str | None, batch_size: int
) -> tuple[pa.Table, Gallery, Checkpoint]:
    """The new images' table as if it were a part of the old one, what is readable of it, and the checkpoint
    that embedded both."""
    from genreid.deployment.gallery import Gallery
    from genreid.deployment.joining import as_the_old
    from stages.using.embed import embedded_folder
    from stages.using.gallery import checkpoint_of
    from stages.using.stores import store_at
    from stages.using.views import Views

    chosen = checkpoint_of(project, old, place, checkpoint, Views.auto)
    store = store_at(images)
    if store.is_named():
        table = store.table()
    else:
        table = embedded_folder(project, images, chosen, Views(old.info.views), None, batch_size)
    table = as_the_old(table, old)
    return table, Gallery.from_table(table, str(images)), chosen


def _facts(joined: Groups, old: Groups) -> dict[str, object]:
    """What people want to know first."""
    import numpy as np

    fresh = ~np.isin(joined.group, old.group)
    return {
        "new images": len(joined.group),
        "in groups that were there": int(np.count_nonzero(~fresh)),
        "new persons": len(np.unique(joined.group[fresh])),
        "persons": len(np.unique(np.concatenate([joined.group, old.group]))),
    }
