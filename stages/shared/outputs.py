"""What the stages and commands of a project write, and whether they may: see `pipeline.outputs`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from genreid.data.objects import is_url
from pipeline.artifacts import leftover_of, remove
from pipeline.outputs import IsOurs, Output, holds, refusals, require
from pipeline.params import Params, load_params, section
from pipeline.places import Place, places_of_project
from stages.shared.paths import PLOTTED, PRODUCERS, Paths, project_path


def outputs_of(root: Path, params: Params) -> dict[str, list[Output]]:
    """Everything that a run of the project at `root` replaces, by the stage that makes it."""
    paths = section(params, "paths", Paths)
    found: dict[str, list[Output]] = {}
    for key, stage in PRODUCERS.items():
        text, (is_folder, is_ours) = getattr(paths, key), _KINDS[key]
        output = Output(params.place(f"paths.{key}"), text, root / text, is_folder, is_ours)
        found.setdefault(stage, []).append(output)
    for stage in PLOTTED:
        text = os.path.join(paths.plots, stage)
        found[stage].append(Output(params.place("paths.plots"), text, root / text, True, _nothing))
    return found


def places_of(root: Path, params: Params) -> list[Place]:
    """What no output of the project may touch."""
    places = places_of_project(root)
    dataset = section(params, "paths", Paths).dataset
    if dataset is not None and not is_url(dataset):
        places.insert(0, Place("the data set (paths.dataset)", project_path(root, dataset)))
    return places


def output_refusals(root: Path, params: Params) -> Iterator[str]:
    """A line for each output of the project that a run must not replace."""
    outputs = [output for made in outputs_of(root, params).values() for output in made]
    return refusals(outputs, places_of(root, params), root=root)


def require_outputs(root: Path, params: Params, stage: str = "") -> None:
    """Raises PipelineError where an output of `stage`, or of any, must not be replaced.

    A stage writes its text of `paths.fingerprints` too.
    """
    made = outputs_of(root, params)
    chosen = {stage, PRODUCERS["fingerprints"]} if stage else set(made)
    outputs = [output for maker in made if maker in chosen for output in made[maker]]
    others = [output for maker in made if maker not in chosen for output in made[maker]]
    require(outputs, places_of(root, params), others, root)


def prepare_clone(root: Path) -> None:
    """The same for the clone of the project at `root` in which trials run.

    The clone is ours, and has no dvc.lock while a trial runs: what an earlier version left in it without a
    mark is removed, once it is known to be in a place of its own.
    """
    params = load_params(root / "params.yaml")
    outputs = [output for made in outputs_of(root, params).values() for output in made]
    require([replace(output, is_ours=lambda path: True) for output in outputs], places_of(root, params))
    for output in outputs:
        is_inside = Path(os.path.realpath(output.path)).is_relative_to(os.path.realpath(root))
        if is_inside and next(refusals([output], ()), ""):
            remove(output.path)
    require_outputs(root, params)


def require_output_file(root: Path, params: Params, path: Path, maker: str, is_ours: IsOurs) -> None:
    """The same for a file that the user of a command names. maker: the command, in messages."""
    output = Output("", str(path), path.absolute(), False, is_ours, maker)
    others = [output for made in outputs_of(root, params).values() for output in made]
    require([output], places_of(root, params), others)


def _nothing(path: Path) -> bool:
    return False


def _is_fingerprint(path: Path) -> bool:
    """A text of the graph's first stage: named by a stage, a name and a value a line. Half of one, too."""
    original = leftover_of(path.name)
    if (original or path.name).removesuffix(".txt") not in PRODUCERS.values():
        return False
    lines = path.read_bytes().splitlines()
    return original is not None or all(re.fullmatch(rb"[\w./-]+ [\w.+!-]+", line) for line in lines)


def _is_metrics(path: Path) -> bool:
    found = _json_keys(path)
    return bool(found & {"views", "views_unjudged"}) and bool(found & {"undefined", "joint"})


def _is_regressor(path: Path) -> bool:
    return _json_keys(path) == {"no regressor"} or holds(b"genreid.regressor")(path)


def _json_keys(path: Path) -> set[str]:
    with path.open("rb") as file:
        if file.read(1) != b"{":
            return set()
    try:
        return set(json.loads(path.read_bytes()))
    except ValueError:
        return set()


_KINDS: dict[str, tuple[bool, IsOurs]] = {
    "fingerprints": (True, _is_fingerprint),
    "images": (True, _nothing),
    "manifest": (False, holds(b"genreid.manifest")),
    "truth": (False, holds(b"genreid.truth", b"scene_seed")),  # a table without rows says only its columns
    "regressor": (False, _is_regressor),
    "mesh": (True, holds(b"genreid.mesh")),
    "views": (True, holds(b"genreid.views")),
    "encoder": (False, holds(b"genreid.encoder")),
    "generator": (False, holds(b"genreid.generator")),
    "joint": (False, holds(b"genreid.joint")),
    "metrics": (False, _is_metrics),
}
"""Of each artifact: whether it is a folder, and how a file of it tells what it is."""
