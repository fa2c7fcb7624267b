"""The check of what a run would replace, as the graph's first stage makes it before DVC removes an out."""

from __future__ import annotations

from stages.doctor.configuration import Configuration
from stages.doctor.finding import Check, Finding, problem_and_remedy
from stages.shared.outputs import output_refusals


def _outputs(configuration: Configuration) -> Finding:
    project = configuration.project
    found = [problem_and_remedy(line) for line in output_refusals(project.root, project.params)]
    if found:
        problems, remedies = zip(*found, strict=True)
        return Finding("missing", "; ".join(problems), "; ".join(dict.fromkeys(remedies)))
    return Finding("ok", "in places of their own; nothing is there that no run made")


OUTPUTS = Check("outputs", _outputs)
