"""What stands in a study's pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genreid.evaluation.comparison import Difference
from stages.studies import pictures
from stages.studies.definition import Arm, Study
from stages.studies.pictures import PANELS, draw, draw_learnt
from stages.studies.rows import CURVES, write_rows


def test_each_curve_that_is_known_has_a_panel_with_a_line_an_arm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of four curves; of two seeds the mean is drawn. The other places of two by two stay empty."""
    for arm, gain in {"plain": 1.0, "views": 3.0}.items():
        for seed in (1, 2):
            key = {"study": "two", "arm": arm, "warm_up": 1, "seed": seed, "split": "val"}
            hits = [{"degrees_apart": x, "warm_up": 50.0, "joint": 50 + gain * seed} for x in (15, 45)]
            kept = [{"yaw_deg": 45, "images": 0.5, "rotated_views": gain / 10}]
            for curve, points in {"hits_by_viewpoint": hits, "identity_kept": kept}.items():
                named = [{f"{curve}.{name}": value for name, value in point.items()} for point in points]
                write_rows(tmp_path / CURVES / f"{curve}.csv", [key | point for point in named])
    arms = {name: Arm(name, name, {}, ((1, 1), (1, 2))) for name in ("plain", "views")}
    study = Study("two", "Two arms", "plain", {}, arms, pictured=["plain", "views"])
    saved: list[Any] = []
    monkeypatch.setattr(pictures, "_save", lambda figure, path: saved.append(figure))
    assert draw_learnt(tmp_path, study, "val", tmp_path / "learnt.png") == {1: [1, 2]}
    assert draw_learnt(tmp_path, replace(study, pictured=[]), "val", tmp_path / "none.png") == {}

    (figure,) = saved
    assert [axes.get_subplotspec().get_geometry()[:3] for axes in figure.axes] == [
        (2, 2, n) for n in range(4)
    ]
    assert [axes.axison for axes in figure.axes] == [True, True, False, False]
    hits, kept = figure.axes[:2]
    assert (hits.get_title(), kept.get_title()) == (PANELS[0].title, PANELS[3].title)
    names = ["the warm-up", "plain", "views"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names
    lines = {line.get_label(): [list(values) for values in line.get_data()] for line in hits.lines}
    levels = (50.0, 51.5, 54.5)  # by hand: 50, and the means of 51 and 52, of 53 and 56
    assert lines == {name: [[15, 45], [level, level]] for name, level in zip(names, levels, strict=True)}
    assert [line.get_ydata().tolist() for line in kept.lines] == [[0.5], [0.1], [0.3]]


def test_each_arm_has_a_line_of_its_own_with_a_dot_a_pair_and_a_warm_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gains of n over warm-ups 1 and 2, of which the first has two seeds, one point apart."""
    saved: list[Any] = []
    monkeypatch.setattr(pictures, "_save", lambda figure, path: saved.append(figure))
    for num in (1, 9):
        names = [f"arm {n}" for n in range(num)]
        pairs = pd.MultiIndex.from_tuples([(1, 1), (1, 2), (2, 1)], names=["warm_up", "seed"])
        gains = {name: Difference(pd.Series([n - 0.5, n + 0.5, n], pairs)) for n, name in enumerate(names)}
        study = Study("two", "Two arms", "plain", {}, {name: Arm(name, name, {}, ()) for name in names})
        draw(study, gains, dict.fromkeys(names, 2.5), tmp_path / "two.png")
    few, many = saved
    assert many.get_figheight() - few.get_figheight() == pytest.approx(8 * 0.36)
    left, right = many.axes
    assert [label.get_text() for label in left.get_yticklabels()] == names[::-1], "the first on top"
    dots = [(*line.get_xdata(), *line.get_ydata()) for line in left.lines if len(line.get_xdata()) == 1]
    expected = [(n + apart, 8 - n) for n in range(9) for apart in (-0.5, 0, 0.5, 0, 0)]
    assert sorted(dots) == sorted(expected)
    assert [bar.get_width() for bar in right.patches] == [2.5] * 9
