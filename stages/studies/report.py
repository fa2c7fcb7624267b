"""A study's tables, from the rows of its finished trials, in a page of their own: docs/study/NAME.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from genreid.evaluation.comparison import Difference, compare
from pipeline.artifacts import write_bytes
from pipeline.errors import PipelineError
from pipeline.outputs import Output, holds, require
from pipeline.pictures import PNG_MARK
from pipeline.provenance import is_committed
from stages.studies.definition import Study, load_study
from stages.studies.pictures import Line, draw, draw_learnt, draw_series
from stages.studies.rows import FOLDER, figures, read_rows, runs_of

SCORE = "joint.mAP"
SCORES = {"mAP": "mAP", "rank_1": "rank-1", "mINP": "mINP"}
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
_CURVES = "What the encoders know along viewpoints, rotations and mixtures, a line an arm"
_ROUNDING = 5e-4
"""By which figures of the same views may differ: of a trial with another number of threads."""


def write_report(root: Path, study: Study, split: str) -> list[Path]:
    """Write them; returns the paths. Raises PipelineError where there is nothing to report.

    A page holds the tables of both splits, each between two marks; what stands outside them is kept.
    """
    file = runs_of(study.period)
    rows = read_rows(root / file)
    # Rows of an arm that the study no longer has are records, and no part of it.
    rows = rows[(rows["study"] == study.in_rows) & rows["arm"].isin(list(study.arms))]
    # Trials that are scored on other identities train as these do, and DVC does not train them again.
    costs = cost_ratios(figures(rows, "cpu_seconds"), study.reference)
    rows = rows[rows["split"] == split]
    if rows.empty:
        raise PipelineError(
            f"{file} has no row of study {study.name} on {split}: run `genreid study run {study.name}` first"
        )
    require_one_encoder_a_warm_up(rows, file)
    page = root / FOLDER / f"{study.name}.md"
    stem = f"{FOLDER}/{study.name}-{split}"
    picture, learnt, along = (root / f"{stem}{kind}.png" for kind in ("", "-learnt", "-series"))
    _require_ours(root, picture, learnt, along)
    draw(study, compare(figures(rows, SCORE), study.reference), costs, picture)
    shown = f"Difference in mAP of each arm to {study.reference}, on the {_identities(split)}: {study.title}"
    written, below = [page, picture], [_image(shown, picture, page)]
    if pairs := draw_learnt(root, study, split, learnt):
        told = "; ".join(f"warm-up {w}, seeds {', '.join(map(str, seeds))}" for w, seeds in pairs.items())
        below += ["", f"The same along viewpoints, mean over {told}:", "", _image(_CURVES, learnt, page)]
        written.append(learnt)
    if series := gains(root, study, split):
        draw_series(series, along)
        below += ["", _image(f"The gain in mAP along {' and '.join(series)}", along, page)]
        written.append(along)
    place = study.name if split == "val" else f"{study.name} {split}"
    text = "\n".join([*_tables(study, rows, costs, split), *below, "", _made_at(rows)])
    _replace_between(page, place, text, title=study.title)
    return written


def _require_ours(root: Path, *pictures: Path) -> None:
    """Raises PipelineError for a picture that is there and not ours; git keeps what it has of others."""

    def is_ours(path: Path) -> bool:
        return holds(PNG_MARK)(path) or is_committed(root, path)

    outputs = [
        Output("", str(path.relative_to(root)), path, False, is_ours, "`genreid study`") for path in pictures
    ]
    require(outputs, [])


def require_one_encoder_a_warm_up(rows: pd.DataFrame, file: str) -> None:
    """Another processor rounds otherwise, and its warm-up of the same seed is another encoder."""
    for warm_up, own in rows.groupby("warm_up"):
        made = own.groupby("warm_up_fingerprint")["machine"].first()
        if len(made) > 1:
            encoders = "; ".join(f"{fingerprint} on {machine}" for fingerprint, machine in made.items())
            raise PipelineError(
                f"{file}: trials of warm-up {warm_up} start from {len(made)} encoders ({encoders}), so that "
                "their difference is not the arms'; delete the rows of all but one, and run the study again"
            )


def cost_ratios(seconds: pd.Series, reference: str) -> dict[str, float]:
    """By arm: CPU time of joint training over the reference's, mean over the pairs that have both.

    A ratio, since seconds of two machines cannot be put together.
    """
    arms = seconds.groupby(seconds.index.names).first().unstack("arm")
    if reference not in arms:
        return {}
    ratios = arms.div(arms[reference], axis=0).mean().dropna()
    return {str(arm): float(ratio) for arm, ratio in ratios.items()}


def gains(root: Path, study: Study, split: str) -> dict[str, dict[str, Line]]:
    """By series, the lines that have more than one arm with a trial."""
    found = {}
    for title, lines in study.series.items():
        drawn = {line: _line(root, study, split, arms) for line, arms in lines.items()}
        if longer := {line: points for line, points in drawn.items() if len(points) > 1}:
            found[title] = longer
    return found


def _line(root: Path, study: Study, split: str, places: Mapping[str, float]) -> Line:
    """places: arms and their numbers; `STUDY/ARM` is one of another study.

    Arms of one study are compared over the warm-ups and seeds that all of them have.
    """
    by_study: dict[str, dict[str, float]] = {}
    for place, x in places.items():
        name, _, arm = place.rpartition("/")
        by_study.setdefault(name or study.name, {})[arm] = x
    found: dict[float, tuple[str, Difference]] = {}
    for name, xs in by_study.items():
        owner = study if name == study.name else load_study(root, name)
        reference, rows = owner.reference, read_rows(root / runs_of(owner.period))
        rows = rows[(rows["study"] == owner.in_rows) & (rows["split"] == split)]
        scores = figures(rows, SCORE).unstack("arm")
        arms = [arm for arm in xs if arm in scores and arm != reference]
        scores = scores.reindex(columns=[reference, *arms]).dropna()
        if len(scores):
            found |= {
                xs[arm]: (owner.title_of(arm), Difference(scores[arm] - scores[reference])) for arm in arms
            }
    return dict(sorted(found.items()))


def _tables(study: Study, rows: pd.DataFrame, costs: Mapping[str, float], split: str) -> list[str]:
    """In Markdown, with what has to be known to read them."""
    made = f"`genreid study run {study.name}" + ("`" if split == "val" else f" --split {split}`")
    if study.period:
        made = f"Rows of {study.period}, with the views and defaults of then (`{runs_of(study.period)}`),"
    scores = {column: figures(rows, f"joint.{column}") for column in SCORES}
    compared = compare(scores["mAP"], study.reference)
    present = [name for name in study.arms if name == study.reference or name in compared]
    warm_ups = _warm_ups(rows, study)
    header = ("arm", *SCORES.values(), "CPU", "n", "difference in mAP by warm-up", "mean", "95 % interval")
    starts = [_spread(warm_ups[f"warm_up.{column}"].astype(float)) for column in SCORES]
    lines = [
        f"## On the {_identities(split)}",
        "",
        f"{made} on the {_identities(split)}. Mean ± standard deviation over n trials; warm-ups "
        "differ, so that these cannot be compared where n does. "
        f"Difference to `{study.reference}` pair by pair of equal warm-up and seed, "
        "for each warm-up the mean over its seeds; for three warm-ups or more their mean ± its standard "
        "error and the 95 % interval (Student's t, a warm-up counts once). "
        f"{'' if study.warm_ups else 'All warm-ups share one population of persons. '}"
        f"CPU: time of joint training over that of `{study.reference}`.",
        "",
        *_header(header),
        _row(("the warm-up, where all arms start", *starts, "", str(len(warm_ups)), "", "", "")),
    ]
    for name in present:
        own = [_spread(score.loc[name]) for score in scores.values()]
        cost = f"{costs[name]:.1f}×" if name in costs else "not measured"
        told = _told(compared[name]) if name in compared else ("", "", "")
        about = f"{_code(study, name)}: {study.arms[name].about}"
        lines.append(_row((about, *own, cost, str(len(scores["mAP"].loc[name])), *told)))
    learnt = {f"invariance.joint_{name}": title for name, title in LEARNT.items()}
    before = {f"invariance.joint_{name}": f"invariance.warm_up_{name}" for name in LEARNT}
    views = {f"views.{name}": title for name, title in VIEWS.items()}
    if any(study.title_of(name) != name for name in present):
        lines += [
            "",
            "Arms marked (oracle) are told the truth: they show what limits a gain, and are no rivals.",
        ]
    return [
        *lines,
        "",
        *_contrasts(study, scores["mAP"]),
        *_further("What is learnt of viewpoints", study, rows, learnt, before),
        *_of_views(study, rows, views),
    ]


def _contrasts(study: Study, scores: pd.Series) -> list[str]:
    """The study's further comparisons that have trials, as a list, and an empty line behind it."""
    lines, arms = [], scores.unstack("arm")
    for question, (arm, against) in study.contrasts.items():
        if {arm, against} <= set(arms) and not (arms[arm] - arms[against]).dropna().empty:
            by_warm_up, mean, interval = _told(compare(scores.loc[[arm, against]], against)[arm])
            over_all = f"; mean {mean}, 95 % interval {interval}" if mean else ""
            pair = f"{_code(study, arm)} against {_code(study, against)}"
            lines.append(f"- {question} ({pair}): {by_warm_up}{over_all}")
    return [*lines, ""] if lines else []


def _further(
    what: str,
    study: Study,
    rows: pd.DataFrame,
    columns: Mapping[str, str],
    before: Mapping[str, str] | None = None,
    digits: int | None = None,
) -> list[str]:
    """Titles by the columns that they are of; before: those of the warm-up. Nothing where none is known.

    digits: behind the point, in place of the usual ones.
    """
    own = {column: figures(rows, column) for column in columns}
    if not all(study.reference in values.index.get_level_values("arm") for values in own.values()):
        return []
    compared = {column: compare(values, study.reference) for column, values in own.items()}
    lines = [
        f"{what}, and in brackets the mean difference to the same pairs of `{study.reference}`:",
        "",
        *_header(("arm", *columns.values())),
    ]
    if before:
        warm_ups = _warm_ups(rows, study)
        cells = [_spread(pd.to_numeric(warm_ups[name]).dropna()) for name in before.values()]
        lines.append(_row(("the warm-up", *cells)))
    for arm in study.arms:
        if not all(arm in values.index.get_level_values("arm") for values in own.values()):
            continue
        cells = []
        for column, values in own.items():
            mean = values.loc[arm].mean()
            places = digits or _digits(mean)
            gain = "" if arm == study.reference else f" ({compared[column][arm].mean:+.{places}f})"
            cells.append(f"{mean:.{places}f}{gain}")
        lines.append(_row((_code(study, arm), *cells)))
    return [*lines, ""]


def _of_views(study: Study, rows: pd.DataFrame, columns: Mapping[str, str]) -> list[str]:
    """The same of rotated views; in a sentence where no arm learns to paint, and all arms share them."""
    own = {column: figures(rows, column) for column in columns}
    by_warm_up = [values.groupby("warm_up") for values in own.values()]
    if not all(len(group) and (group.max() - group.min()).max() < _ROUNDING for group in by_warm_up):
        return _further("Rotated views that the generator paints at the end", study, rows, columns, digits=3)
    told = ", ".join(f"{columns[column]} {values.mean():.3f}" for column, values in own.items())
    return [f"Rotated views are the same in all arms, none of which learns to paint: {told}.", ""]


def _code(study: Study, arm: str) -> str:
    """The arm's name as code, and its mark behind it."""
    return f"`{arm}`{study.title_of(arm).removeprefix(arm)}"


def _warm_ups(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    """A row for each: one of the reference, whose views are the pretrained generator's."""
    return rows[rows["arm"] == study.reference].drop_duplicates("warm_up")


def _told(difference: Difference) -> tuple[str, str, str]:
    """By warm-up, the mean with its error, and the interval; the last two empty for too few warm-ups."""
    by_warm_up = ", ".join(f"{value:+.1f}" for value in difference.by_warm_up)
    error, interval = difference.standard_error, difference.interval
    if error is None or interval is None:
        return by_warm_up, "", ""
    return by_warm_up, f"{difference.mean:+.1f} ± {error:.1f}", f"{interval[0]:.1f} to {interval[1]:.1f}"


def _spread(values: pd.Series) -> str:
    mean, deviation = values.mean(), values.std()
    own = f"{mean:.{_digits(mean)}f}"
    return own if len(values) < 2 else f"{own} ± {deviation:.{_digits(mean)}f}"


def _digits(mean: float) -> int:
    """Behind the point: percentages have one, ratios of distances two."""
    return 1 if mean > 2 else 2


def _made_at(rows: pd.DataFrame) -> str:
    dates, commits, machines = (sorted(set(rows[name])) for name in ("date", "commit", "machine"))
    span = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    differ = " (they differ: compare with care)" if len(commits) > 1 else ""
    return f"{len(rows)} trials, {span}, at {', '.join(commits)}{differ}, on {'; '.join(machines)}."


def _image(title: str, path: Path, page: Path) -> str:
    return f"![{title}]({path.relative_to(page.parent)})"


def _identities(split: str) -> str:
    return "validation identities" if split == "val" else "test identities"


def _header(cells: Sequence[str]) -> list[str]:
    return [_row(cells), _row(["---"] * len(cells))]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _replace_between(page: Path, name: str, new: str, *, title: str) -> None:
    """Put `new` between the study's marks; a page or marks that are not there yet are made."""
    begin, end = f"<!-- study {name}: begin -->", f"<!-- study {name}: end -->"
    old = page.read_text(encoding="utf-8") if page.exists() else f"# {title}\n"
    if begin not in old and end not in old:
        old = f"{old.rstrip()}\n\n{begin}\n{end}\n"
    before, found, rest = old.partition(begin)
    if not found or end not in rest:
        raise PipelineError(f"{page}: one of `{begin}` and `{end}` is missing: put it back, or delete both")
    write_bytes(page, f"{before}{begin}\n{new}\n{end}{rest.split(end, 1)[1]}".encode())
