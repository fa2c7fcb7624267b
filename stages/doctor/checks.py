"""What `genreid doctor` looks at: one small function a thing, each with the one thing to do about it.

A check says whether the run that params.yaml describes needs what it looks at. Errors of the domain that it
meets are its finding: they name the remedy themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from genreid.errors import GenreidError
from pipeline.errors import PipelineError
from stages.doctor.configuration import Configuration
from stages.doctor.finding import Check, Finding, problem_and_remedy
from stages.doctor.machine import MACHINE, TOOLS
from stages.doctor.material import MATERIAL
from stages.doctor.model_files import MODEL_FILES
from stages.doctor.outputs import OUTPUTS
from stages.doctor.place import PLACE
from stages.doctor.room import ROOM
from stages.shared.conflicts import conflicts


def examine(configuration: Configuration) -> Iterator[tuple[str, Finding]]:
    """Every check's name and finding, in order; the first alone where no run is described."""
    try:
        _ = configuration.settings
    except PipelineError as error:
        yield CHECKS[0].name, Finding("missing", *problem_and_remedy(str(error)))
        return
    for check in CHECKS:
        try:
            yield check.name, check.look(configuration)
        except (GenreidError, PipelineError) as error:
            yield check.name, Finding("missing", *problem_and_remedy(str(error)))


def _params(configuration: Configuration) -> Finding:
    settings, name = configuration.settings, configuration.project.params.path.name
    if found := list(conflicts(settings)):
        problems, remedies = zip(*found, strict=True)
        return Finding("missing", "; ".join(problems), "; ".join(remedies))
    return Finding("ok", f"all {len(settings)} sections of {name} are readable")


CHECKS = (Check("params", _params), *PLACE, OUTPUTS, *MACHINE, *MATERIAL, *MODEL_FILES, *TOOLS, *ROOM)
