"""What a run came to stands between the marks of three pages, and two persons are cut out of its picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreid.render.sheets import GenerationRow, generation_sheet
from tools import record_run

ROOT = Path(__file__).parents[2]
FIGURES = {"mAP": 51.26, "rank_1": 60.0, "rank_5": 70.0, "rank_10": 80.0, "mINP": 30.0}
METRICS = {
    "warm_up": FIGURES,
    "joint": FIGURES | {"mAP": 61.04},
    "views": {"rotated_l1": 0.05},
    "backgrounds": {"queries": 120, "images_rank_1": 69.2, "images_mAP": 57.5},
}


def run_of(stage: str) -> dict[str, object]:
    return {
        "seconds": 60.0,
        "peak_memory_mb": 1500,
        "git": "0123456789",
        "finished": "2026-11-29T10:00",
        "device": "cpu",
        "machine": {"cores": 2},
        "versions": {"python": "3.11.2", "torch": "2.14.1"},
        "Against the truth": {"estimated": {"heading": 5.93, "images": 1000}},
    }


RUNS = {stage: run_of(stage) for stage in record_run.STAGES}


def between(page: Path) -> str:
    return page.read_text(encoding="utf-8").split(record_run.BEGIN)[1].split(record_run.END)[0]


def test_each_page_has_one_place_and_all_tell_one_run() -> None:
    *short, whole = (between(ROOT / page) for page in (*record_run.SHORT, record_run.WHOLE))
    tables = {text.split("| encoder")[1].split("\n\n")[0] for text in (*short, whole)}
    assert len(tables) == 1
    assert all(text.count("One run of `make repro`, one seed: ") == 1 for text in short)


def test_the_whole_of_a_run_is_told_in_tables_below_headings() -> None:
    text = "\n\n".join(record_run.results(METRICS, RUNS))
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert all(line.startswith("## ") for line in headings) and len(headings) == 5
    assert "| joint training | 61.0 | 60.0 |" in text and "| warm-up | 51.3 |" in text
    assert "| `train-joint` | 60 | 1.5 |" in text
    # by hand: each of the stages took a minute
    assert f": {len(RUNS)}.0 minutes of stages on 2 cores" in record_run.in_short(RUNS)


def test_nothing_outside_the_marks_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"above\n{record_run.BEGIN}\nold\n{record_run.END}\nbelow\n", encoding="utf-8")
    record_run.replace_between(page, "new")
    expected = f"above\n{record_run.BEGIN}\nnew\n{record_run.END}\nbelow\n"
    assert page.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("height_px", [64, 48])
def test_two_persons_are_cut_out_of_the_sheet_whole(height_px: int) -> None:
    """Each person has a shade of its own in all its pictures; the cut has all of two shades, and no other."""

    def row(person: int) -> GenerationRow:
        grey = np.full((height_px, 32), 10 + person, np.uint8)
        image = np.repeat(grey[..., None], 3, axis=2)
        return GenerationRow(image, grey, image, [image] * 2, [image] * 2, [image] * 2)

    sheet = generation_sheet([row(person) for person in range(6)], [45, 90], [0.0, 1.0])
    cut = record_run.two_persons(sheet)
    count = {shade: int((sheet == shade).sum()) for shade in range(10, 16)}
    found = {shade: int((cut == shade).sum()) for shade in range(10, 16)}
    assert found[12] == count[12] > 0 and found[13] == count[13] > 0
    assert found[10] == found[11] == found[14] == found[15] == 0
