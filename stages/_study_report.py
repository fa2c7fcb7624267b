"""A study's tables, from the rows of its finished trials, in their place in docs/results.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from genreid.evaluation.comparison import Comparison, Pairing, compare
from pipeline.artifacts import write_bytes
from pipeline.errors import PipelineError
from pipeline.study import Study
from pipeline.study_rows import FOLDER, RUNS, Row, read_rows
from stages._study_curves import draw_learnt, draw_series
from stages._study_figures import cost_ratios, figures_of, gains_of, require_one_encoder_a_warm_up
from stages._study_picture import draw

RESULTS = "docs/results.md"
WARM_UP = "warm_up"
FIGURES = {"mAP": "mAP", "rank_1": "rank-1", "mINP": "mINP"}
LEARNT = {
    "hits_0_60": "hits, 0–60° apart (%)",
    "hits_120_180": "hits, 120–180° apart (%)",
    "spread_generated": "spread over painted views",
    "spread_true": "spread over true views",
}
VIEWS = {
    "rotated_person_l1": "L1 within the person",
    "rotated_person_ssim": "SSIM within the person",
    "rotated_frechet": "Fréchet distance",
    "identity_kept": "identity kept",
}


def write_report(root: Path, study: Study, split: str) -> list[Path]:
    """Write them; returns the paths. Raises PipelineError where there is nothing to report, or no place."""
    of_study = [row for row in read_rows(root / RUNS) if row["study"] == study.name]
    rows = [row for row in of_study if row["split"] == split]
    if not rows:
        raise PipelineError(
            f"{RUNS} has no row of study {study.name} on {split}: run `genreid study run {study.name}` first"
        )
    require_one_encoder_a_warm_up(rows)
    page = root / RESULTS
    pictures = _Pictures(root / FOLDER / f"{study.name}-{split}", page.parent)
    costs = cost_ratios(of_study, study.reference)
    draw(study, compare(figures_of(rows, "joint.mAP"), study.reference), costs, pictures.path())
    below = [pictures.line(study.title)]
    if pairs := draw_learnt(root, study, split, pictures.path("learnt")):
        below += [
            "",
            f"The same along viewpoints, mean over {_told(pairs)}:",
            "",
            pictures.line("Curves", "learnt"),
        ]
    if gains := gains_of(root, study, split):
        draw_series(gains, pictures.path("series"))
        below += ["", pictures.line(f"The gain along {' and '.join(gains)}", "series")]
    place = study.name if split == "val" else f"{study.name} {split}"
    _replace_between(page, place, text(study, rows, costs, split, below))
    return [page, *pictures.written]


@dataclass
class _Pictures:
    """Pictures named `stem`, with a word for all but the first, on a page in folder `of_page`."""

    stem: Path
    of_page: Path
    written: list[Path] = field(default_factory=list)

    def path(self, word: str = "") -> Path:
        return self.stem.with_name("-".join([self.stem.name, *([word] if word else [])]) + ".png")

    def line(self, title: str, word: str = "") -> str:
        self.written.append(self.path(word))
        return f"![{title}]({self.path(word).relative_to(self.of_page)})"


def _told(pairs: Sequence[Pairing]) -> str:
    return "; ".join(
        f"warm-up {warm_up}, seeds {', '.join(str(seed) for one, seed in pairs if one == warm_up)}"
        for warm_up in sorted({warm_up for warm_up, _ in pairs})
    )


def text(
    study: Study, rows: Sequence[Row], costs: Mapping[str, float], split: str, below: Sequence[str]
) -> str:
    """The table in Markdown, with what has to be known to read it.

    costs: as `cost_ratios` has them. below: lines that come after the tables.
    """
    identities = "validation" if split == "val" else "test"
    arms = {arm.name: arm.about for arm in study.arms}
    compared = {column: compare(figures_of(rows, f"joint.{column}"), study.reference) for column in FIGURES}
    command = f"genreid study run {study.name}" + ("" if split == "val" else f" --split {split}")
    present = [name for name in arms if name in compared["mAP"]]
    lines = [
        f"### {study.title}",
        "",
        f"`{command}` on the {identities} identities. Mean ± standard deviation over n trials; difference to "
        f"`{study.reference}` over the pairs of equal warm-up and seed, ± its standard error, and by "
        "warm-up. Warm-ups differ: where n does, differences can be compared, and means cannot. CPU: time of "
        f"joint training over that of `{study.reference}`.",
        "",
        _row(("arm", *FIGURES.values(), "CPU", "n", "difference in mAP", "in errors", "by warm-up")),
        _row(["---"] * (len(FIGURES) + 6)),
        _row(_warm_up_cells(rows)),
    ]
    for name in present:
        cells = [_spread(compared[column][name]) for column in FIGURES]
        cost = f"{costs[name]:.1f}×" if name in costs else "not measured"
        lines.append(
            _row((f"`{name}`: {arms[name]}", *cells, cost, *_difference_cells(compared["mAP"][name])))
        )
    contrasts = _contrast_lines(study, figures_of(rows, "joint.mAP"))
    further = _learnt_lines(study, rows, present) + _views_lines(study, rows, present)
    return "\n".join([*lines, "", *contrasts, *further, *below, "", _made_at(rows)])


def _contrast_lines(study: Study, figures: Mapping[str, Mapping[Pairing, float]]) -> list[str]:
    """The study's further comparisons that have trials, as a list, and an empty line behind it."""
    lines = []
    for contrast in study.contrasts:
        pair = {name: figures[name] for name in (contrast.arm, contrast.against) if name in figures}
        if len(pair) == 2 and pair[contrast.arm].keys() & pair[contrast.against].keys():
            _, mean, errors, by_warm_up = _difference_cells(compare(pair, contrast.against)[contrast.arm])
            what = f"`{contrast.arm}` against `{contrast.against}`"
            lines.append(
                f"- {contrast.question} ({what}): {mean} mAP, in errors {errors}, by warm-up {by_warm_up}"
            )
    return [*lines, ""] if lines else []


def _learnt_lines(study: Study, rows: Sequence[Row], arms: Sequence[str]) -> list[str]:
    """What the encoders know of viewpoints, where the data tell the truth about them."""
    columns = {f"invariance.joint_{name}": title for name, title in LEARNT.items()}
    before = [f"invariance.warm_up_{name}" for name in LEARNT]
    return _further_table("What is learnt of viewpoints", study, rows, arms, columns, before)


def _views_lines(study: Study, rows: Sequence[Row], arms: Sequence[str]) -> list[str]:
    """How good the generators' rotated views are, held against the true ones."""
    columns = {f"views.{name}": title for name, title in VIEWS.items()}
    what = "Rotated views that the generator paints at the end"
    return _further_table(what, study, rows, arms, columns, digits=3)


def _further_table(
    what: str,
    study: Study,
    rows: Sequence[Row],
    arms: Sequence[str],
    columns: Mapping[str, str],
    before: Sequence[str] = (),
    digits: int | None = None,
) -> list[str]:
    """Titles by the columns that they are of; `before`: those of the warm-up. Nothing where none is known.

    digits: behind the point, in place of the usual ones.
    """
    figures = {name: figures_of(rows, name) for name in columns}
    if not all(found.get(study.reference) for found in figures.values()):
        return []
    compared = {name: compare(found, study.reference) for name, found in figures.items()}
    lines = [
        f"{what}, and in brackets the mean difference to the same pairs of `{study.reference}`:",
        "",
        _row(("arm", *columns.values())),
        _row(["---"] * (len(columns) + 1)),
    ]
    if before:
        cells = (_spread(_each_warm_up_once(rows, name)) for name in before)
        lines.append(_row(("the warm-up", *cells)))
    for arm in arms:
        if all(arm in found for found in compared.values()):
            own = [found[arm] for found in compared.values()]
            cells = (_with_difference(one, digits or _digits(one)) for one in own)
            lines.append(_row((f"`{arm}`", *cells)))
    return [*lines, ""]


def _with_difference(comparison: Comparison, digits: int) -> str:
    difference = comparison.difference
    own = f"{comparison.mean:.{digits}f}"
    return own if difference is None else f"{own} ({difference.mean:+.{digits}f})"


def _warm_up_cells(rows: Sequence[Row]) -> Sequence[str]:
    """The encoders before joint training: each once, however many trials start from it."""
    cells = []
    for column in FIGURES:
        cells.append(_spread(_each_warm_up_once(rows, f"{WARM_UP}.{column}")))
    return (
        "the warm-up, where all arms start",
        *cells,
        "",
        str(len({row["warm_up"] for row in rows})),
        "",
        "",
        "",
    )


def _each_warm_up_once(rows: Sequence[Row], column: str) -> Comparison:
    return Comparison({(int(row["warm_up"]), 0): float(row[column]) for row in rows if row.get(column)}, None)


def _spread(comparison: Comparison) -> str:
    deviation, digits = comparison.deviation, _digits(comparison)
    own = f"{comparison.mean:.{digits}f}"
    return own + ("" if math.isnan(deviation) else f" ± {deviation:.{digits}f}")


def _digits(comparison: Comparison) -> int:
    """Behind the point: percentages have one, ratios of distances two."""
    return 1 if comparison.mean > 2 else 2


def _difference_cells(comparison: Comparison) -> Sequence[str]:
    num, difference = str(len(comparison.values)), comparison.difference
    if difference is None:
        return (num, "", "", "")
    error = difference.standard_error
    by_warm_up = ", ".join(f"{value:+.1f}" for value in difference.by_warm_up.values())
    if math.isnan(error):
        return (num, f"{difference.mean:+.1f}", "one pair", by_warm_up)
    ratio = f"{difference.mean / error:+.1f}" if error else "no spread"
    if len(difference.pairs) == 2:
        # Two may agree by chance, and their error tell little.
        ratio = "two pairs"
    return (num, f"{difference.mean:+.1f} ± {error:.1f}", ratio, by_warm_up)


def _made_at(rows: Sequence[Row]) -> str:
    dates = sorted({row["date"] for row in rows})
    commits = sorted({row["commit"] for row in rows})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    machines = "; ".join(sorted({row.get("machine") or "unknown machine" for row in rows}))
    differ = " (they differ: compare with care)" if len(commits) > 1 else ""
    return f"{len(rows)} trials, {span}, at {', '.join(commits)}{differ}, on {machines}."


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _replace_between(page: Path, name: str, new: str) -> None:
    begin, end = f"<!-- study {name}: begin -->", f"<!-- study {name}: end -->"
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    if begin not in old or end not in old:
        raise PipelineError(f"{page.name}: no place for the study: add the lines `{begin}` and `{end}` to it")
    before, rest = old.split(begin, 1)
    write_bytes(page, f"{before}{begin}\n{new}\n{end}{rest.split(end, 1)[1]}".encode())
