"""The tables of views without true ones: rows where figures are, lines where they are not."""

from __future__ import annotations

import pytest
from rich.console import Console

from stages.shared.view_tables import print_views


def printed(capsys: pytest.CaptureFixture[str], metrics: dict[str, object]) -> list[str]:
    print_views(Console(width=120), metrics)
    return capsys.readouterr().out.splitlines()


def test_what_was_measured_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    backgrounds = {
        "queries": 7,
        "chance_rank_1": 1.26,
        "chance_mAP": 2.0,
        "mask_rank_1": 3.0,
        "mask_mAP": 4.0,
    }
    colours = {
        "pairs": 9,
        "opposite_pairs": 0,
        "rotated_upper": 0.0123,
        "rotated_lower": 0.5,
        "original_upper": 1,
    }
    lines = printed(capsys, {"backgrounds": backgrounds, "colours": colours})
    assert lines[0] == "Persons in other cameras found by what is left of 7 images (%)"
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert cells == [
        ["without mask and outline", "3.0", "4.0"],
        ["any order (chance)", "1.3", "2.0"],
        ["view turned that way", "0.012", "0.500"],
        ["image unturned", "1.000", "–"],
    ]
    assert "Error of mean colours to 9 other images of the persons (0 to 1)" in lines


def test_what_was_not_measured_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, {"backgrounds_unmeasured": "no body [in] sight", "views": {}}) == [
        "What backgrounds tell of persons was not measured: no body [in] sight."
    ]
