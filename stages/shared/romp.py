"""ROMP's files where params.yaml says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from genreid.mesh.romp import check_files
from genreid.mesh.settings import RompSettings
from pipeline.artifacts import hash_path
from pipeline.errors import PipelineError
from pipeline.params import section
from stages.shared.paths import project_path
from stages.shared.run import Project, StageRun


def romp_settings(run: Project) -> RompSettings:
    """What params.yaml says of ROMP, with the files' real places, there or not. Raises PipelineError."""
    settings = section(run.params, "mesh_extract.romp", RompSettings)
    weights, smpl = (str(project_path(run.root, file)) for file in (settings.weights, settings.smpl))
    return replace(settings, weights=weights, smpl=smpl)


def hold_files(run: StageRun) -> None:
    """See to it that an interrupted run goes on with the files it began with.

    Raises GenreidError where one is missing, and PipelineError.
    """
    settings = romp_settings(run)
    check_files(settings)
    hashes = {"weights": hash_path(Path(settings.weights)), "smpl": hash_path(Path(settings.smpl))}
    if run.state.keep("romp", lambda: hashes) != hashes:
        raise PipelineError(
            f"ROMP's files changed since {run.stage} was interrupted: start again with `genreid {run.stage} "
            "--fresh`"
        )
    run.facts["romp"] = hashes
