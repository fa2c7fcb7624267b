"""All of it: figures of every way, means over views, tables and sheets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.photographs import run
from benchmarks.photographs.judge import Judge
from benchmarks.photographs.means import mean_with_true, mean_with_turned, means_without_turning
from benchmarks.photographs.run import Asked, judge_on_photographs, open_painter
from benchmarks.photographs.scale import TURNS_DEG, Scale, over_persons
from benchmarks.photographs.sheets import write_sheets
from benchmarks.photographs.ways import People, kept, next_angle, true_aside, warped
from genreid.data.ways import mirrored
from genreid.errors import GenreidError


def test_over_persons_counts_each_once() -> None:
    values = np.array([[1.0, 3.0], [5.0, np.nan], [7.0, 9.0], [np.nan, np.nan]])
    mean, error = over_persons(values, np.array([1, 1, 2, 3]))
    assert mean == pytest.approx((3 + 8) / 2)  # person 1: 1, 3, 5; person 3 has none
    assert error == pytest.approx(np.std([3, 8], ddof=1) / np.sqrt(2))
    assert np.isnan(over_persons(values[3:], np.array([3])))[0]


def test_controls_stand_in_order(scale: Scale) -> None:
    """On persons whose colours darken as they turn, a nearer angle is a better view of the other side."""
    figures = {
        name: scale.measure(name, way(scale.people)).figures()
        for name, way in {"kept": kept, "next": next_angle, "aside": true_aside}.items()
    }
    half, front = TURNS_DEG.index(180), scale.photographs.heading_deg == 0
    for name in ("colour_upper", "colour_lower"):
        errors = [np.nanmean(figures[way][name][front, half]) for way in ("kept", "next", "aside")]
        assert errors == sorted(errors, reverse=True)
    assert np.nanmean(figures["aside"]["l1"]) < np.nanmean(figures["kept"]["l1"])
    assert figures["aside"]["colour_upper"][0, half] < 0.01


def test_the_image_finds_what_it_finds(scale: Scale) -> None:
    """Unturned, all angles are alike; and what a view finds is what its own embedding says."""
    measured = scale.measure("kept", kept(scale.people))
    every = measured.figures()["all sides, mAP"]
    assert (every == every[:, :1]).all()
    np.testing.assert_allclose(measured.embedding[2], scale.embedding, atol=1e-6)
    half = TURNS_DEG.index(180)
    assert (measured.figures()["side asked for, mAP"][:, half] != every[:, half]).any()


def test_means(scale: Scale) -> None:
    turned = scale.measure("warped", warped(scale.people))
    (alone, mirror, copies, drawn) = means_without_turning(scale, {"drawn": warped(scale.people)})
    assert alone.name == "the image alone" and copies.name.startswith("with 7 copies")
    own = scale.measure("kept", kept(scale.people)).figures()["all sides, mAP"][:, 0]
    np.testing.assert_allclose(alone.precision, own)
    pictures = scale.photographs.load(scale.index)
    rows = scale.embedding + scale.judge.embed(mirrored(pictures))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similarity = rows @ rows.T
    query = 3
    others = np.flatnonzero(scale.photographs.camera != scale.photographs.camera[query])
    order = others[np.argsort(-similarity[query, others], kind="stable")]
    hits = scale.photographs.person[order] == scale.photographs.person[query]
    places = np.flatnonzero(hits) + 1
    assert mirror.plain[query] == pytest.approx(np.mean(np.arange(1, len(places) + 1) / places))
    assert mean_with_turned(scale, "warped", turned.embedding).name == "with 7 views warped"
    assert drawn.precision.shape == alone.precision.shape


def test_true_photographs_make_all_images_of_a_person_one(scale: Scale) -> None:
    """All sides of a person in a camera have one mean: of the two persons in the other camera a query finds
    all eight sides of one before those of the other."""
    found = mean_with_true(scale)
    behind = np.mean([place / (8 + place) for place in range(1, 9)])
    assert np.minimum(abs(found.precision - 1), abs(found.precision - behind)).max() < 1e-9
    np.testing.assert_allclose(found.precision[:8], found.precision[0])


def test_tables_and_sheets(
    folder: Path,
    people: People,
    judge: Judge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Judge, "open", lambda file: judge)
    monkeypatch.setattr(
        run, "found_people", lambda *_: iter([("full, masks", people), ("full, outlines", people)])
    )
    judge_on_photographs(Asked(folder, "even", ("full",), None, None, tmp_path / "sheets"))
    printed = capsys.readouterr().out
    assert "32 photographs of 2 persons" in printed and "without a body: 1 by full" in printed
    lines = [line for line in printed.splitlines() if line.startswith("| warped")]
    assert len(lines) == 4  # two ways, in the table of figures and in that by angle
    assert "| +0.0 ± 0.0 | " in next(line for line in printed.splitlines() if "image, unturned" in line)
    heads = [line for line in printed.splitlines() if line.startswith("|---")]
    assert len(heads) == 3
    sheet = cv2.imread(str(tmp_path / "sheets" / "views-00.png"))
    assert sheet is not None and sheet.shape[1] > 2 * 5 * 32 * 2


def test_a_sheet_shows_views_beside_the_truth(people: People, tmp_path: Path) -> None:
    write_sheets(tmp_path, people)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["views-00.png"]  # eight photographs


def test_files_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(GenreidError, match=r"nothing\.pt: no such file; give an encoder"):
        Judge.open(tmp_path / "nothing.pt")
    with pytest.raises(GenreidError, match=r"nothing\.pt: no such file; give a generator"):
        open_painter(tmp_path / "nothing.pt", tmp_path / "nothing.pt")


def test_a_judge_remembers_pictures_and_tells_them_apart(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = np.random.default_rng(4).integers(0, 256, (5, *judge.size_px, 3), dtype=np.uint8)
    fresh = judge.look(pictures)
    asked: list[int] = []
    look = judge._look

    def counted(some: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        asked.append(len(some))
        return look(some)

    monkeypatch.setattr(judge, "_look", counted)
    for part, again in zip(fresh, judge.look(pictures[[3, 1, 3]]), strict=True):
        np.testing.assert_array_equal(again, part[[3, 1, 3]])
    assert asked == []
    changed = pictures.copy()
    changed[2, 0, 0, 0] += 1
    np.testing.assert_allclose(judge.look(changed)[0][[0, 1, 3, 4]], fresh[0][[0, 1, 3, 4]])
    assert asked == [1]
