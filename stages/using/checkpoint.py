"""The checkpoint that a command uses: which one, its input size, their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genreid.mistaken import mistaken_for
from pipeline.artifacts import hash_path, read_torch
from pipeline.errors import PipelineError
from stages.shared.elsewhere import Elsewhere, is_from_elsewhere, open_elsewhere
from stages.shared.oracle import learnt_from
from stages.shared.paths import PRODUCERS
from stages.shared.run import Project

if TYPE_CHECKING:
    from genreid.models.encoder import IdentityEncoder
    from genreid.models.imported.encoder import ImportedEncoder
    from genreid.preprocessing import Preprocessing

KINDS = {"joint": "of joint training", "encoder": "of the warm-up"}
"""The artifacts that hold an encoder, the one to prefer first."""


def _complete_checkpoint(incomplete: str) -> list[str]:
    files = [str(path) for path in sorted(Path("models").glob("*.pt"))]
    return [name for name in (*KINDS, *files) if name.startswith(incomplete)]


CheckpointOption = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        "-c",
        help="joint, encoder, or the path of a checkpoint or of another program's weights (OSNet, TransReID, "
        "timm …). By default joint if there is one, else encoder.",
        autocompletion=_complete_checkpoint,
        show_default=False,
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Images that go through the network at once.")]


@dataclass(frozen=True)
class Checkpoint:
    """A file with an encoder in it. content: what it holds, if it is one of ours. place: its name for people,
    relative to the project where it can be. oracle: what its training was told of the truth, or None.
    elsewhere: the encoder of another program, where the file is not ours.
    """

    content: dict[str, Any]
    path: Path
    place: str
    oracle: str | None
    elsewhere: Elsewhere | None = None

    @cached_property
    def fingerprint(self) -> str:
        return hash_path(self.path) if self.elsewhere is None else self.elsewhere.fingerprint

    @cached_property
    def prepared(self) -> Preprocessing:
        """How its pictures have to be prepared, whatever the manifest says by now. Raises GenreidError."""
        from genreid.models.checkpoint import preprocessing_of

        if self.elsewhere is not None:
            return self.elsewhere.imported.prepared
        return preprocessing_of(self.content, self.place)

    @property
    def matches(self) -> Mapping[str, Any] | None:
        """What its training has counted of its similarities, in plain types. Raises GenreidError."""
        from genreid.models.checkpoint import matches_of

        return None if self.elsewhere is not None else matches_of(self.content, self.place)

    def encoder(self) -> IdentityEncoder | ImportedEncoder:
        """On the CPU, in evaluation mode. Raises GenreidError."""
        from genreid.models.checkpoint import load_encoder

        if self.elsewhere is not None:
            return self.elsewhere.imported.encoder
        return load_encoder(self.content, self.place)


def open_checkpoint(project: Project, wanted: str | None) -> Checkpoint:
    """The checkpoint that the user names, or the best there is; says which. Raises PipelineError."""
    key = wanted if wanted in KINDS else None
    if wanted is None:
        key = next((kind for kind in KINDS if project.path(kind).exists()), None)
        if key is None:
            raise PipelineError(
                f"{project.paths.joint} and {project.paths.encoder} are missing: run `dvc repro "
                f"{PRODUCERS['encoder']}` or all of `dvc repro` first, or name a file by --checkpoint"
            )
    path = project.path(key) if key else Path(str(wanted)).resolve()
    if what := mistaken_for(path):
        raise PipelineError(f"--checkpoint: {path} is {what}")
    place = getattr(project.paths, key) if key else _shortest(path, project.root)
    if key is None and is_from_elsewhere(path):
        found = open_elsewhere(path)
        project.console.print(f"checkpoint: {place}, {found.description}", markup=False, soft_wrap=True)
        return Checkpoint({}, path, place, None, found)
    remedy = project.remedy(key) if key else f"name {', '.join(KINDS)} or a checkpoint of this program"
    content = read_torch(path, remedy)
    project.console.print(f"checkpoint: {place}{f', {KINDS[key]}' if key else ''}", markup=False)
    return Checkpoint(content, path, place, warn_of_oracle(project, content, place))


def warn_of_oracle(project: Project, content: dict[str, Any], place: str) -> str | None:
    """Say what the training of a checkpoint was told of the truth, and return it; None where it was not."""
    from genreid.models.checkpoint import oracle_of

    if oracle := oracle_of(content, place):
        project.console.print(f"warning: {place}: {learnt_from(oracle)}", markup=False, soft_wrap=True)
    return oracle


def _shortest(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
