"""What the files of a run say: figures, settings, curves, records of its stages. Nothing is worked out
here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json_artifact
from pipeline.errors import PipelineError
from stages.shared.paths import PLOTTED, PRODUCERS, Paths
from stages.shared.run import Project
from stages.using.report.sources import (
    Revision,
    Source,
    Workspace,
    committed_params,
    flat,
    flat_yaml,
    nested_yaml,
)

Rows = list[dict[str, float]]
STAGES = tuple(dict.fromkeys(stage for stage in PRODUCERS.values() if stage != "fingerprint-code"))
"""In their order."""


@dataclass(frozen=True)
class Run:
    """A run as its files have it.

    metrics: what metrics.json holds, without its digest. settings: by dotted key, without the section
    `paths`. curves: rows by the name of evaluate's file. training: stage → figure (`loss/rotation`) → value
    by step.
    """

    name: str
    metrics: Mapping[str, Any]
    settings: Mapping[str, Any]
    curves: Mapping[str, Rows]
    training: Mapping[str, Mapping[str, Mapping[float, float]]]


@dataclass(frozen=True)
class Record:
    """What a stage wrote of itself when it last ran here: its provenance."""

    stage: str
    facts: Mapping[str, Any]

    @property
    def warnings(self) -> list[str]:
        found = self.facts.get("warnings", [])
        return [str(line) for line in found] if isinstance(found, list) else []


@dataclass(frozen=True)
class Gathered:
    """All that is read. other: the run that is held against this one, or None. changed: settings of the run
    (by key, with the value that the project's commit has) that are not the commit's; None where that is not
    known. records: of the stages that left one. outdated: stage → its settings that have been changed since
    DVC ran it. missing: what is not there, section → reason."""

    run: Run
    other: Run | None
    changed: Mapping[str, Any] | None
    records: list[Record]
    outdated: Mapping[str, list[str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def finished(self) -> str | None:
        """When `evaluate` last ran here, where that is known."""
        found = [record.facts.get("finished") for record in self.records if record.stage == "evaluate"]
        return str(found[0]) if found and found[0] else None


def gather(project: Project, against: str | None) -> Gathered:
    """Read the run of the project, and that of another revision. Raises PipelineError where one of them has
    no metrics: it has not finished."""
    paths, root = project.paths, project.root
    if not project.path("metrics").exists():
        raise PipelineError(
            f"evaluate has not run: {paths.metrics} is missing: run `dvc repro` first, or "
            "`dvc repro evaluate` for what it needs alone"
        )
    metrics = read_json_artifact(project.path("metrics"), project.remedy("metrics"))
    run = _run(Workspace(root), paths, metrics)
    other = None if against is None else _other(root, paths, against)
    outdated = _outdated(root, run.settings)
    return Gathered(run, other, _changed(root, run.settings), _records(root), outdated)


def _other(root: Path, paths: Paths, revision: str) -> Run:
    source = Revision(root, revision)
    content = source.read(paths.metrics)
    if content is None:
        raise PipelineError(
            f"--against {revision}: it has no {paths.metrics}; a commit has one only where it was committed, "
            "an experiment that has finished always: see `dvc exp show`"
        )
    metrics = _json(content)
    if not isinstance(metrics, dict):
        raise PipelineError(f"--against {revision}: its {paths.metrics} is damaged; name another revision")
    return _run(source, paths, metrics)


def _run(source: Source, paths: Paths, metrics: Mapping[str, Any]) -> Run:
    params = source.read("params.yaml") or b"{}"
    try:
        settings = flat_yaml(params)
    except ValueError as error:
        raise PipelineError(f"params.yaml of {source.name}: {error}; name another revision") from None
    own = {key: value for key, value in settings.items() if not key.startswith("paths.")}
    figures = {name: value for name, value in metrics.items() if name != "digest"}
    curves = {}
    for path in source.files(f"{paths.plots}/evaluate"):
        if path.endswith(".json") and (rows := _rows(source.read(path))):
            curves[Path(path).stem] = rows
    training = {stage: _training(source, f"{paths.plots}/{stage}/plots/metrics") for stage in PLOTTED}
    return Run(
        source.name, figures, own, curves, {stage: found for stage, found in training.items() if found}
    )


def _rows(content: bytes | None) -> Rows:
    """The rows of a curve; none where the file holds something else."""
    found = _json(content)
    if not isinstance(found, list):
        return []
    plain = all(isinstance(row, dict) and all(_is_number(v) for v in row.values()) for row in found)
    return found if plain else []


def _training(source: Source, folder: str) -> dict[str, dict[float, float]]:
    found = {}
    for path in source.files(folder):
        if path.endswith(".tsv") and (content := source.read(path)) is not None:
            name = path.removeprefix(f"{folder}/").removesuffix(".tsv")
            found[name] = _steps(content.decode("utf-8", "replace"))
    return {name: steps for name, steps in found.items() if steps}


def _steps(text: str) -> dict[float, float]:
    """Value by step of DVCLive's table; lines without two numbers are left out."""
    found = {}
    for line in text.splitlines()[1:]:
        try:
            step, value = (float(cell) for cell in line.split("\t")[:2])
        except ValueError:
            continue
        found[step] = value
    return found


def _changed(root: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    content = committed_params(root)
    if content is None:
        return None
    try:
        defaults = flat_yaml(content)
    except ValueError:
        return None
    return {key: defaults.get(key) for key, value in settings.items() if defaults.get(key) != value}


def _outdated(root: Path, settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """What dvc.lock says that stages ran with, held against the settings of now; nothing without a lock."""
    path = root / "dvc.lock"
    try:
        locked = nested_yaml(path.read_bytes()).get("stages", {}) if path.is_file() else {}
    except ValueError:
        return {}
    found = {}
    for stage, entry in locked.items():
        own = entry.get("params", {}).get("params.yaml", {}) if isinstance(entry, Mapping) else {}
        ran_with = {key: value for key, value in flat(own).items() if not key.startswith("paths.")}
        if keys := [key for key, value in ran_with.items() if settings.get(key) != value]:
            found[stage] = keys
    return found


def _records(root: Path) -> list[Record]:
    found = []
    for stage in STAGES:
        path = root / "provenance" / f"{stage}.json"
        facts = _json(path.read_bytes()) if path.is_file() else None
        if isinstance(facts, dict):
            found.append(Record(stage, facts))
    return found


def _json(content: bytes | None) -> Any:
    """What a JSON text holds; None where it is none."""
    try:
        return None if content is None else json.loads(content)
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
