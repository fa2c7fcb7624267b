"""The tables of the page, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.shared.oracle import learnt_from
from stages.shared.results import ENCODERS, FIGURES, ORACLE, UNDEFINED, UNJUDGED, WAY_FIGURES, WAYS
from stages.using.report.gathering import STAGES, Gathered, Run
from stages.using.report.sources import flat

if TYPE_CHECKING:
    from stages.using.report.bodies import Headings
    from stages.using.report.charts import Chart


@dataclass(frozen=True)
class Table:
    """The first cell of a row names it."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Results:
    """notes: why a run has no figure of retrieval. tables: what people look at first. all: every figure."""

    notes: list[str]
    tables: list[Table]
    all: Table


@dataclass(frozen=True)
class Settings:
    """first: what differs from the commit, and from the other run. rest: everything, a table a section."""

    notes: list[str]
    first: list[Table]
    rest: list[Table]


@dataclass(frozen=True)
class DataSummary:
    notes: list[str]
    table: Table


def results(gathered: Gathered) -> Results:
    run, other = gathered.run, gathered.other
    found = [] if UNDEFINED in run.metrics else [_retrieval(run, other), *_ways(run)]
    names = [run.name] + ([other.name, "difference"] if other else [])
    mine, theirs = flat(run.metrics), flat(other.metrics) if other else {}
    keys = list(dict.fromkeys([*mine, *theirs]))
    rows = [[key, *_beside(mine.get(key), theirs.get(key), other is not None)] for key in keys]
    every = Table("All figures of metrics.json", ["figure", *names], rows)
    notes = [
        f"mAP and CMC of {one.name} are undefined: {one.metrics[UNDEFINED]}."
        for one in (run, other)
        if one is not None and UNDEFINED in one.metrics
    ]
    return Results(notes, found, every)


def _retrieval(run: Run, other: Run | None) -> Table:
    """A row an encoder and run, in percent; a third row their difference."""
    rows = []
    for key, name in ENCODERS.items():
        mine = run.metrics.get(key, {})
        rows.append([name if other is None else f"{name}, {run.name}", *_percents(mine)])
        theirs = {} if other is None else other.metrics.get(key, {})
        if other is not None:
            rows.append([f"{name}, {other.name}", *_percents(theirs)])
        if mine and theirs:
            change = [f"{mine[one] - theirs[one]:+.1f}" for one in FIGURES if one in mine and one in theirs]
            rows.append([f"{name}, difference", *change])
    return Table("Retrieval (%)", ["encoder", *FIGURES.values()], rows)


def _percents(figures: Mapping[str, float]) -> list[str]:
    return [f"{figures[one]:.1f}" if one in figures else "–" for one in FIGURES]


def _ways(run: Run) -> list[Table]:
    """Embeddings as means over several pictures, where they were tried."""
    figures = run.metrics.get("test_views", {})
    sources = ENCODERS | {"validation": "joint training, validation identities"}
    rows = [
        [name, mean, *(f"{figures[f'{key}_{way}_{one}']:.1f}" for one in WAY_FIGURES)]
        for key, name in sources.items()
        for way, mean in WAYS.items()
        if all(f"{key}_{way}_{one}" in figures for one in WAY_FIGURES)
    ]
    caption = "Embeddings as means over pictures of an image (%)"
    return [Table(caption, ["encoder", "mean over", *WAY_FIGURES.values()], rows)] if rows else []


def _beside(mine: object, theirs: object, both: bool) -> list[str]:
    if not both:
        return [text(mine)]
    numbers = [value for value in (mine, theirs) if isinstance(value, int | float)]
    change = f"{numbers[0] - numbers[1]:+.4g}" if len(numbers) == 2 else ""
    return [text(mine), text(theirs), change]


def text(value: object) -> str:
    """A value of metrics or params for people."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.5g}"
    return ", ".join(text(one) for one in value) if isinstance(value, list) else str(value)


def setting(value: object) -> str:
    """The same of a setting, which may be null."""
    return "null" if value is None else text(value)


def settings(gathered: Gathered) -> Settings:
    run, other, changed = gathered.run, gathered.other, gathered.changed
    notes, first = [], []
    if changed is None:
        notes.append("No commit of params.yaml was found here to hold them against.")
    elif not changed:
        notes.append("All settings are those of params.yaml as it is committed.")
    else:
        rows = [[key, setting(run.settings[key]), setting(default)] for key, default in changed.items()]
        first.append(
            Table("Different from the committed params.yaml", ["setting", run.name, "committed"], rows)
        )
    if other is not None:
        keys = [
            key
            for key in dict.fromkeys([*run.settings, *other.settings])
            if run.settings.get(key) != other.settings.get(key)
        ]
        rows = [[key, setting(run.settings.get(key)), setting(other.settings.get(key))] for key in keys]
        if rows:
            first.append(Table("Different between the two runs", ["setting", run.name, other.name], rows))
        else:
            notes.append(f"The settings of {other.name} are the same.")
    return Settings(notes, first, list(_sections(run)))


def _sections(run: Run) -> Iterable[Table]:
    by_section: dict[str, list[list[str]]] = {}
    for key, value in run.settings.items():
        name, _, rest = key.partition(".")
        by_section.setdefault(name, []).append([rest or name, setting(value)])
    for name, rows in by_section.items():
        yield Table(f"All settings of {name}", ["setting", "value"], rows)


def warnings(gathered: Gathered) -> list[tuple[str, str]]:
    """Where and what: what metrics.json says of oracles and of what was not judged, then what stages
    recorded."""
    found = []
    metrics = gathered.run.metrics
    if ORACLE in metrics:
        found.append(("joint training", learnt_from(str(metrics[ORACLE]))))
    if UNJUDGED in metrics:
        found.append(("generated views", f"not judged: {metrics[UNJUDGED]}"))
    for stage, keys in gathered.outdated.items():
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        found.append(
            (stage, f"params.yaml has changed since dvc.lock was written ({keys[0]}{more}): `dvc repro`")
        )
    return found + [(record.stage, line) for record in gathered.records for line in record.warnings]


def epochs(stage: str, figures: Mapping[str, Mapping[float, float]]) -> Table:
    steps = sorted({step for values in figures.values() for step in values})
    rows = [[f"{step:g}", *(text(values.get(step)) for values in figures.values())] for step in steps]
    return Table(f"{stage}, epoch by epoch", ["epoch", *figures], rows)


def of_chart(chart: Chart) -> Table:
    rows = [[f"{x:g}", *(text(y) for y in values)] for x, values in chart.table]
    return Table(chart.title, [chart.x_label, *chart.series], rows)


def statuses(headings: Headings) -> Table:
    total = sum(headings.statuses.values())
    rows = [[name, str(num), f"{100 * num / total:.1f} %"] for name, num in headings.statuses.items()]
    return Table("What the estimator found", ["status", "images", "share"], rows)


def data_summary(header: Sequence[str], rows: Sequence[Sequence[object]], notes: list[str]) -> DataSummary:
    """Of the manifest's overview."""
    return DataSummary(
        notes, Table("Images of each split", header, [[str(cell) for cell in row] for row in rows])
    )


def stages(gathered: Gathered) -> Table:
    """What each stage says of its last run here; a stage without a record is told so."""
    known = {record.stage: record.facts for record in gathered.records}
    rows = [[stage, *_stage(known.get(stage))] for stage in STAGES] if known else []
    header = ["stage", "finished", "seconds", "peak memory (MB)", "device", "revision", "torch"]
    return Table("The stages, as they last ran here", header, rows)


def _stage(facts: Mapping[str, Any] | None) -> list[str]:
    if facts is None:
        return ["no record here", *["–"] * 5]
    versions = facts.get("versions")
    torch = versions.get("torch") if isinstance(versions, Mapping) else None
    revision, _, changes = str(facts.get("git", "–")).partition("+")
    short = revision[:10] + (" + changes" if changes else "")
    cells = [facts.get("finished"), facts.get("seconds"), facts.get("peak_memory_mb"), facts.get("device")]
    return [*(text(cell) for cell in cells), short, text(torch)]
