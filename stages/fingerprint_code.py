"""The graph's first stage: for every other one, a text that says which code and packages it depends on."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.code import code_fingerprint, keep_fingerprint
from pipeline.graph import find_root
from pipeline.params import load_params, section
from pipeline.resume import some_of
from pipeline.sources import Sources
from stages.shared.outputs import require_outputs
from stages.shared.paths import PRODUCERS, Paths
from stages.shared.run import section_name
from stages.shared.sections import require_all

_READINGS = Path(".genreid") / "readings.json"


def fingerprint_code() -> None:
    """Write down which code and packages each stage depends on, so that DVC sees what has changed.

    DVC runs it before all others, whatever has changed, and removes the outs of each of them before it runs
    it. So this one first looks whether all of params.yaml can be, and whether a run has made all that is
    there, and stops where not.
    """
    root = find_root(Path.cwd())
    params = load_params(root / "params.yaml")
    require_all(params)
    require_outputs(root, params)
    folder = root / section(params, "paths", Paths).fingerprints
    sources = Sources(root / _READINGS)
    for stage in dict.fromkeys(PRODUCERS.values()):
        if stage != PRODUCERS["fingerprints"]:
            code = code_fingerprint(f"stages.{section_name(stage)}", sources=sources)
            if changed := keep_fingerprint(folder / f"{stage}.txt", code):
                typer.echo(f"{stage}: {some_of(changed)} changed")
    sources.keep()
