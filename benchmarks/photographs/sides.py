"""Whom encoders find from another side: `python -m benchmarks.photographs.sides`.

In a project of the study `angles` whose graph has run, such as `dvc exp apply angles-gcl_plus-w1-s1-test`
leaves. For every angle the gallery images of the query's person that are turned by it are the true matches,
and those turned otherwise are left out; other persons' stay, however they are turned.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import PurePath

import numpy as np

from benchmarks.photographs.crops import NAME
from benchmarks.photographs.finding import Lists, ranked
from benchmarks.photographs.judge import Judge
from genreid.errors import GenreidError
from genreid.evaluation.retrieval import Pair, Part
from pipeline.errors import PipelineError
from stages.shared.data import image_set, read_manifest
from stages.shared.run import Options, Project

Figures = dict[str, tuple[float, float]]
"""mAP and rank-1 in percent, of `all` pairs and by degrees."""


def headings_of(part: Part) -> np.ndarray:
    """(N,) degrees, off the names of the files. Raises GenreidError where one does not tell."""
    names = [PurePath(path).name for path in part.manifest.path]
    told = [NAME.fullmatch(name) for name in names]
    unknown = [name for name, match in zip(names, told, strict=True) if match is None]
    if unknown:
        raise GenreidError(f"{unknown[0]}: its name tells no heading; expected one as 0002_c1_h+090.png")
    return np.array([int(match[3]) for match in told if match], np.int64)


def degrees_apart(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """(Q, G) angles of 0 to 180 between headings (Q,) and (G,)."""
    return np.abs((gallery[None] - queries[:, None] + 180) % 360 - 180)


def by_angle(similarity: np.ndarray, same_person: np.ndarray, apart: np.ndarray) -> Figures:
    """similarity, same_person and degrees apart: (Q, G) each. Queries without a true match do not count."""
    turned: dict[str, np.ndarray] = {"all": np.ones_like(same_person)}
    turned |= {f"{angle}°": apart == angle for angle in np.unique(apart).tolist()}
    found = {}
    for name, asked in turned.items():
        one = ranked(similarity, Lists(same_person, same_person & ~asked))
        found[name] = 100 * float(np.nanmean(one.precision)), 100 * float(np.nanmean(one.first))
    return found


def table(rows: dict[str, Figures]) -> str:
    """mAP, and rank-1 in brackets, of each encoder by angle."""
    angles: Sequence[str] = list(next(iter(rows.values())))
    lines = [f"| encoder | {' | '.join(angles)} |", f"|---|{'---:|' * len(angles)}"]
    for name, found in rows.items():
        cells = [f"{mean_ap:.1f} ({first:.1f})" for mean_ap, first in found.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def judged(project: Project) -> dict[str, Figures]:
    """By the names of encoders: ImageNet's features, and what was learnt from there."""
    pair = Pair.of(read_manifest(project), "test", partial(image_set, project))
    apart = degrees_apart(headings_of(pair.queries), headings_of(pair.gallery))
    same_person = pair.queries.labels[0][:, None] == pair.gallery.labels[0][None]
    queries, gallery = (
        part.images.load(np.arange(len(part.images))) for part in (pair.queries, pair.gallery)
    )
    judges = {
        "ImageNet": Judge.open(None),
        "warm-up": Judge.open(project.path("encoder")),
        "joint training": Judge.open(project.path("joint")),
    }
    return {
        name: by_angle(judge.embed(queries) @ judge.embed(gallery).T, same_person, apart)
        for name, judge in judges.items()
    }


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    try:
        print(table(judged(Project.open(Options()))))
    except (GenreidError, PipelineError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
