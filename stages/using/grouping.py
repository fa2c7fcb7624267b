"""What the commands share that say whose images are whose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genreid.deployment.corrections import Correction
    from genreid.deployment.groups import Question
    from genreid.evaluation.matches import MatchCurve
    from stages.shared.run import Project
    from stages.using.checkpoint import Checkpoint
    from stages.using.matches import Matching

MOST_QUESTIONS = 100
_ASKED = {"merged": "in one group: the same person?", "apart": "in two groups: different persons?"}

QuestionsFile = Annotated[
    Path, typer.Option(help="The CSV file to write: pairs to look at, the least certain first.")
]
CorrectionsFile = Annotated[
    Path | None,
    typer.Option(
        help="Answers to such questions (columns answer, one, other): same or different.",
        show_default=False,
    ),
]
FalseMatchRate = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Pairs are evidence if so alike that no larger share of strangers is.",
        show_default="group: as fits the folder; join: the groups' own cut",
    ),
]
LeastSimilarity = Annotated[
    float | None,
    typer.Option(
        min=-1.0, max=1.0, help="The same cut as a cosine similarity, known or not.", show_default=False
    ),
]


def check_outputs(
    project: Project, output: Path, questions: Path, corrections: Path | None, picture: Path
) -> None:
    """Raises PipelineError where a file of somebody else, or answers, would be replaced."""
    from genreid.deployment.corrections import is_unanswered
    from genreid.deployment.group_table import MARK
    from pipeline.outputs import holds
    from stages.using.pictures import check_output, check_picture

    check_output(project, output, "group", holds(MARK))
    check_picture(project, picture, "group")
    if corrections is None or not questions.exists() or not corrections.samefile(questions):
        check_output(project, questions, "group", is_unanswered)


def require_curve(matching: Matching | None, chosen: Checkpoint, views: str) -> MatchCurve:
    """Raises PipelineError where nobody knows what a similarity says."""
    from pipeline.errors import PipelineError

    if matching is None:
        raise PipelineError(
            f"nobody has counted the matches of {chosen.place} with --views {views}: name the "
            "cosine below which two images are never of one person by --least-similarity (0.5, say), or run "
            "`dvc repro` with this way in evaluate.test_views"
        )
    return matching.curve


def clustering_settings(project: Project) -> Any:
    from pipeline.params import section
    from stages.shared.sections import stage_settings

    return section(project.params, "train_joint", stage_settings()["train_joint"]).clustering


def write_questions(
    path: Path,
    asked: Sequence[Question],
    images: Sequence[str],
    matching: Matching | None,
    answers: Sequence[Correction],
) -> None:
    """What has been answered, and below it what is open: questions of the images at positions in `images`."""
    from genreid.deployment.corrections import table_text
    from pipeline.artifacts import write_bytes

    done: list[dict[str, object]] = [
        {"answer": one.answer, "one": one.one, "other": one.other} for one in answers
    ]
    still_open = [
        {
            "one": images[one.one],
            "other": images[one.other],
            "asked": _ASKED[one.kind],
            "cosine": f"{one.cosine:.4f}",
            "likeness": f"{one.likeness:.4f}",
            "false_matches": "" if matching is None else matching.odds(one.cosine),
        }
        for one in asked
    ]
    write_bytes(path, table_text([*done, *still_open]).encode())
