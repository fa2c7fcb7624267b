"""Write what the last `make repro` came to into README.md and two pages of docs, with its pictures.

    python -m tools.record_run [PROJECT]

PROJECT: the folder of the run (here by default), for instance a fresh clone. Replaces the lines between
`<!-- run: begin -->` and `<!-- run: end -->`: in README.md and docs/results.md by the short version, in
docs/default_run.md by all of it. Never a word outside them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from genreid.render.sheets import CAPTION_PX, GROUP_GAP_PX
from pipeline.artifacts import read_json_artifact
from pipeline.provenance import processor
from stages.shared.view_tables import BACKGROUNDS, COLOURS

ROOT = Path(__file__).parents[1]
_FIRST, *STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
ENCODERS = {"warm_up": "warm-up", "joint": "joint training"}
RETRIEVAL = {"mAP": "mAP", "rank_1": "rank-1", "rank_5": "rank-5", "rank_10": "rank-10", "mINP": "mINP"}
SHORT, WHOLE = ("README.md", "docs/results.md"), "docs/default_run.md"
VIEWS, TWO_PERSONS = "docs/images/views.jpg", "docs/images/two_persons.jpg"
PICTURES = {
    "plots/prepare-data/contact_sheet.png": "docs/images/contact_sheet.jpg",
    "plots/evaluate/views.png": VIEWS,
}
BEGIN, END = "<!-- run: begin -->", "<!-- run: end -->"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", nargs="?", type=Path, default=ROOT)
    project: Path = parser.parse_args().project
    metrics = read_json_artifact(project / "metrics.json", "run `dvc repro` again")
    if "oracle" in metrics:
        parser.error(f"{project}/metrics.json: joint training learnt from an oracle ({metrics['oracle']})")
    if "views" not in metrics:
        parser.error(f"{project}/metrics.json: {metrics.get('views_unjudged', 'no view was judged')}")
    runs = {
        stage: json.loads((project / "provenance" / f"{stage}.json").read_text(encoding="utf-8"))
        for stage in STAGES
    }
    for page in SHORT:
        replace_between(ROOT / page, retrieval(metrics) + "\n\n" + in_short(runs))
    replace_between(ROOT / WHOLE, "\n\n".join(results(metrics, runs)))
    for source, target in PICTURES.items():
        picture = cv2.imread(str(project / source))
        assert picture is not None, f"{source} is no picture"
        save(picture, ROOT / target)
        if target == VIEWS:
            save(two_persons(picture), ROOT / TWO_PERSONS)


def save(picture: np.ndarray, path: Path) -> None:
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])


def two_persons(sheet: np.ndarray) -> np.ndarray:
    """The third and fourth of the six persons of `plots/evaluate/views.png` (H,W,3), below its captions.

    Captions: the frame and two lines of words (`genreid.render.sheets`). One of the two is seen from the
    front, the other from behind.
    """
    above = GROUP_GAP_PX + 2 * CAPTION_PX
    third = (len(sheet) - above - GROUP_GAP_PX) // 3
    parts = sheet[:above], sheet[above + third : above + 2 * third], sheet[-GROUP_GAP_PX:]
    return np.concatenate(parts)


def results(metrics: Mapping[str, Any], runs: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """The measured part of docs/default_run.md, paragraph by paragraph."""
    views = [(f"`{name}`", f"{value:.3g}") for name, value in metrics["views"].items()]
    meshes = runs["mesh-extract"]["Against the truth"]
    columns = list(next(iter(meshes.values())))
    accuracy = [
        (name, *(f"{row[column]:.3g}" for column in columns[:-1]), f"{row[columns[-1]]}")
        for name, row in meshes.items()
    ]
    cost = [
        (f"`{stage}`", f"{runs[stage]['seconds']:.0f}", f"{runs[stage]['peak_memory_mb'] / 1000:.1f}")
        for stage in STAGES
    ]
    return [
        made_by(runs),
        "## Retrieval on the test identities (%)",
        retrieval(metrics),
        "## Estimated meshes against the truth",
        table(("", *columns), accuracy),
        "## Generated views",
        table(("figure", "value"), views),
        *further(metrics),
        "## Time, and memory of the largest process",
        table(("stage", "seconds", "GB"), cost),
    ]


def further(metrics: Mapping[str, Any]) -> Sequence[str]:
    """What emptied backgrounds tell of their persons, and how far colours are off, where it was measured."""
    paragraphs = []
    if "backgrounds" in metrics:
        found = metrics["backgrounds"]
        title = f"## Persons in other cameras found by what is left of {found['queries']} images (%)"
        rows = _rows(found, BACKGROUNDS, ("rank_1", "mAP"), ".1f")
        paragraphs += [title, table(("query", "rank-1", "mAP"), rows)]
    if "colours" in metrics:
        found = metrics["colours"]
        title = f"## Error of mean colours to {found['pairs']} other images of the persons (0 to 1)"
        rows = _rows(found, COLOURS, ("upper", "lower"), ".3f")
        paragraphs += [title, table(("", "upper half", "lower half"), rows)]
    return paragraphs


def _rows(
    found: Mapping[str, float], names: Mapping[str, str], columns: Sequence[str], form: str
) -> list[tuple[str, ...]]:
    """A row for each name of which there are figures."""
    there = {key: name for key, name in names.items() if f"{key}_{columns[0]}" in found}
    return [
        (name, *(f"{found[f'{key}_{column}']:{form}}" for column in columns)) for key, name in there.items()
    ]


def made_by(runs: Mapping[str, Mapping[str, Any]]) -> str:
    last = runs["evaluate"]
    versions = last["versions"]
    machine = f"{last['machine']['cores']} cores ({processor()}), device {last['device']}"
    made = f"`make repro` at {last['git'][:7]}, finished {last['finished'][:10]}"
    return f"{made}: {machine}, Python {versions['python']}, torch {versions['torch']}."


def in_short(runs: Mapping[str, Mapping[str, Any]]) -> str:
    minutes = sum(run["seconds"] for run in runs.values()) / 60
    cores = next(iter(runs.values()))["machine"]["cores"]
    return (
        f"One run of `make repro`, one seed: {minutes:.1f} minutes of stages on {cores} cores "
        f"({processor()}), without the installation."
    )


def retrieval(metrics: Mapping[str, Any]) -> str:
    rows = [
        (name, *(f"{metrics[key][figure]:.1f}" for figure in RETRIEVAL)) for key, name in ENCODERS.items()
    ]
    return table(("encoder", *RETRIEVAL.values()), rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def replace_between(path: Path, text: str) -> None:
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
