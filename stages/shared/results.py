"""What `evaluate` found: written down, and as the tables that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from pipeline.artifacts import atomic_directory, write_bytes, write_json, write_json_artifact
from pipeline.pictures import png
from stages.shared.oracle import learnt_from
from stages.shared.run import StageRun
from stages.shared.view_tables import print_views

if TYPE_CHECKING:
    from genreid.evaluation.report import Report

ENCODERS = {"warm_up": "warm-up", "joint": "joint training"}
UNDEFINED = "undefined"
"""The key of metrics.json that holds the reason why there is no figure of retrieval."""
UNJUDGED = "views_unjudged"
"""The key that holds the reason why there is no figure of generated views."""
ORACLE = "oracle"
"""The key that says what the joint encoder was told of the truth, where it was."""
ALSO = "also"
"""The key that holds the figures of other encoders by their names, where `evaluate` was given some."""
FIGURES = {"mAP": "mAP", "rank_1": "rank-1", "rank_5": "rank-5", "rank_10": "rank-10", "mINP": "mINP"}
WAYS = {
    "image": "the image alone",
    "mirror": "and its mirror image",
    "copies": "and 7 copies, unturned",
    "turned": "and 7 turned views",
}
MATCHES = {
    "equal_error_rate": "equal error rate",
    "misses_at_1_in_1000": "pairs of one person missed, where 1 in 1,000 of others is taken for one",
    "found_at_1_in_1000": "others taken for one, where training promises 0.1",
}
WAY_FIGURES = {
    "mAP": "mAP",
    "rank_1": "rank-1",
    "centred_mAP": "mAP less camera means",
    "centred_rank_1": "rank-1 less camera means",
}


def write_report(
    run: StageRun, report: Report, oracle: str | None, also: Mapping[str, Mapping[str, float]] | None = None
) -> None:
    """Write the stage's curves, pictures and metrics, and print what people want to know.

    oracle: what the joint encoder was told of the truth, or None. also: figures of other encoders by name.
    """
    from stages.shared.matches import MEASURED, plain_curves

    with atomic_directory(run.plots) as folder:
        for name, rows in report.curves().items():
            write_json(folder / f"{name}.json", rows)
        for name, picture in report.pictures().items():
            write_bytes(folder / f"{name}.png", png(picture))
        measured = plain_curves(report.matches.measured)
        write_json_artifact(folder / MEASURED, {"checkpoint": report.checkpoint, "curves": measured})
    metrics = report.metrics() | ({ORACLE: oracle} if oracle else {})
    if also:
        metrics[ALSO] = dict(also)
    write_json_artifact(run.path("metrics"), metrics)
    run.show("Evaluated on", report.facts() | ({ORACLE: oracle} if oracle else {}))
    if "views" in metrics:
        run.show("Generated views", metrics["views"])
    if "invariance" in metrics:
        run.show("Invariance", metrics["invariance"])
    if report.looking is not None:
        milliseconds = {WAYS[way]: value for way, value in report.looking.milliseconds.items()}
        run.show("Milliseconds an image", milliseconds)
    print_ranking(run.console, metrics)


def print_ranking(console: Console, metrics: Mapping[str, Any]) -> None:
    """The table of retrieval, or the reason why it has no figures; the same of generated views, and a warning
    where an oracle helped."""
    if ORACLE in metrics:
        console.print(
            f"warning: joint training: {learnt_from(metrics[ORACLE])}", markup=False, soft_wrap=True
        )
    if UNDEFINED in metrics:
        console.print(
            f"Retrieval: mAP and CMC are undefined: {metrics[UNDEFINED]}.", markup=False, soft_wrap=True
        )
    else:
        console.print(ranking_table(metrics))
        if "test_views" in metrics:
            console.print(ways_table(metrics["test_views"]))
            print_recommended(console, metrics)
        if "matches" in metrics:
            console.print(matches_table(metrics["matches"]))
    if UNJUDGED in metrics:
        line = f"Generated views were not judged: {metrics[UNJUDGED]}."
        console.print(line, markup=False, soft_wrap=True)
    print_views(console, metrics)


def ranking_table(metrics: Mapping[str, Any]) -> Table:
    """A row an encoder, in percent, as the field prints them."""
    table = Table(title="Retrieval (%)", title_justify="left")
    table.add_column("encoder")
    for title in FIGURES.values():
        table.add_column(title, justify="right")
    rows = {name: metrics[key] for key, name in ENCODERS.items()} | metrics.get(ALSO, {})
    for name, figures in rows.items():
        table.add_row(name, *(f"{figures[figure]:.1f}" for figure in FIGURES))
    return table


def ways_table(figures: Mapping[str, float]) -> Table:
    """A row for each way of looking at images that was tried, beyond the paper: see `Looking.figures`."""
    table = Table(title="Embeddings as means over pictures of an image (%)", title_justify="left")
    table.add_column("encoder")
    table.add_column("mean over")
    for title in WAY_FIGURES.values():
        table.add_column(title, justify="right")
    sources = ENCODERS | {"validation": "joint training, validation identities"}
    for key, name in sources.items():
        for way, mean in WAYS.items():
            if f"{key}_{way}_mAP" in figures:
                table.add_row(name, mean, *(f"{figures[f'{key}_{way}_{one}']:.1f}" for one in WAY_FIGURES))
    return table


def matches_table(figures: Mapping[str, float]) -> Table:
    """What similarities say of whether two images are of one person: see `Matches.figures`."""
    title = "Same person or not, validation identities in two cameras (%)"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    for key, name in MATCHES.items():
        if key in figures:
            table.add_row(name, f"{figures[key]:.2g}")
    return table


def print_recommended(console: Console, metrics: Mapping[str, Any]) -> None:
    """Which way the user of the joint encoder should take, as validation identities decided."""
    if "recommended" in metrics:
        way = metrics["recommended"]["views"]
        line = f"`genreid embed` takes --views {way} ({WAYS[way]}), by validation identities."
    else:
        line = "`genreid embed` takes the image alone: no validation identities tell of another way."
    console.print(line, markup=False, soft_wrap=True)
