"""The command `genreid`: one command a stage, and a few that help to run them.

torch, pandas and the like are imported inside the commands, so that `--help` is instant.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from genreid.errors import GenreidError
from pipeline.ending import INTERRUPTED
from pipeline.errors import PipelineError, is_of_machine
from stages.around.models import models
from stages.around.overrides import overrides
from stages.around.setting import set_value
from stages.around.summary import summary
from stages.doctor.doctor import doctor
from stages.evaluate import evaluate
from stages.fingerprint_code import fingerprint_code
from stages.fit_regressor import fit_regressor
from stages.mesh_extract import mesh_extract
from stages.prepare_data import prepare_data
from stages.pretrain_encoder import pretrain_encoder
from stages.pretrain_generator import pretrain_generator
from stages.render_views import render_views
from stages.shared.rank import LostRank
from stages.shared.sections import checked
from stages.starting.command import init
from stages.starting.version import tell_version
from stages.studies.command import study
from stages.train_joint import train_joint
from stages.using.embed import embed
from stages.using.export import export
from stages.using.gallery_command import gallery
from stages.using.generate import generate
from stages.using.group import group
from stages.using.join import join
from stages.using.report.command import report
from stages.using.search import search

STAGES = (
    prepare_data,
    fit_regressor,
    mesh_extract,
    render_views,
    pretrain_encoder,
    pretrain_generator,
    train_joint,
    evaluate,
)
"""The commands that are stages of dvc.yaml, in its order, after `fingerprint-code`."""

app = typer.Typer(
    help="Unsupervised person re-identification with generated views (GCL+). "
    "`dvc repro` runs all stages; each also runs alone, with its settings from params.yaml.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback()
def genreid(
    version: Annotated[
        bool,
        typer.Option("--version", callback=tell_version, is_eager=True, help="Tell the version, and end."),
    ] = False,
) -> None:
    """What is said before a command's name."""


for _stage in (fingerprint_code, *(checked(stage) for stage in STAGES)):
    app.command(rich_help_panel="Stages, in order")(_stage)
for _use in (report, embed, search, group, join, generate, export):
    app.command(rich_help_panel="Using what was trained")(_use)
app.add_typer(gallery, name="gallery", rich_help_panel="Using what was trained")
app.command(rich_help_panel="Around them")(init)
app.command(rich_help_panel="Around them")(doctor)
app.command("set", rich_help_panel="Around them")(set_value)
app.command(rich_help_panel="Around them")(overrides)
app.command(rich_help_panel="Around them")(summary)
app.add_typer(models, name="models", rich_help_panel="Around them")
app.add_typer(study, name="study", rich_help_panel="Around them")


_REMEDIES = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room in your quota",
    errno.EROFS: "use a folder that can be written to",
    errno.EACCES: "make it readable and writable for you",
    errno.EPERM: "make it readable and writable for you",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`), or take fewer --workers",
    errno.ENFILE: "close programs that hold files open",
    errno.ENOMEM: "free memory, or take fewer --workers",
    errno.EIO: "look at the disk",
    errno.ENETDOWN: "look at the network",
    errno.ENODEV: "put the folder back, or connect its disk or network again",
}
"""What the system can have against a command's files, wherever in it they are met."""


def main() -> None:
    """Run the command line; what the user can put right is told in one line, with exit code 2."""
    # An image that OpenCV cannot decode is a row with its reason; the decoder's own lines would say it again.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        app()
    except (GenreidError, PipelineError, FloatingPointError) as error:
        _end(str(error))
    except (MemoryError, RuntimeError) as error:
        if not is_of_machine(error):
            raise
        _end(_of_machine("this machine", str(error) or os.strerror(errno.ENOMEM), errno.ENOMEM))
    except OSError as error:
        if not is_of_machine(error):
            raise
        _end(_of_machine(error.filename or "a file", error.strerror or str(error), error.errno))
    except LostRank as error:
        _end(str(error), code=1)
    except KeyboardInterrupt:  # of a caller that did not come through `stages.entry`
        Console(stderr=True).print(f"interrupted; {INTERRUPTED}")
        sys.exit(130)


def _of_machine(place: object, what: str, number: int | None) -> str:
    remedy = _REMEDIES.get(number or 0, "see to the disk, the network and the limits of this machine")
    return f"{place}: {what.splitlines()[0]}: {remedy}, and run the command again"


def _end(message: str, code: int = 2) -> NoReturn:
    Console(stderr=True, highlight=False).print(f"error: {message}", markup=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
