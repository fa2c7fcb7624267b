from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from pipeline.errors import PipelineError
from stages.studies.definition import ORACLE, Arm, Study
from stages.studies.pictures import PANELS, Line, curve_points
from stages.studies.report import VIEWS, gains, write_report
from stages.studies.rows import CURVES, RUNS, curves_of, read_rows, runs_of, write_rows

ROOT = Path(__file__).parents[3]
PAIRS = ((1, 1), (2, 1))
PAGE_FILE = Path("docs", "study", "two.md")
PAGE = "before\n<!-- study two: begin -->\nold\n<!-- study two: end -->\nafter\n"


def records(project: Path) -> list[dict[str, str]]:
    rows = read_rows(project / RUNS).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


@pytest.fixture
def study() -> Study:
    arms = (Arm("plain", "nothing", {}, PAIRS), Arm("views", "rotated views", {}, PAIRS))
    return Study("two", "Two arms", "plain", {}, {arm.name: arm for arm in arms}, pictured=["plain", "views"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Four trials: views gains 3 points from the first warm-up and 1 from the second."""
    (tmp_path / PAGE_FILE).parent.mkdir(parents=True)
    (tmp_path / PAGE_FILE).write_text(PAGE, encoding="utf-8")
    for arm, own in {"plain": (0.0, 0.0), "views": (3.0, 1.0)}.items():
        for warm_up, gain in enumerate(own, start=1):
            row = {"study": "two", "arm": arm, "warm_up": warm_up, "seed": 1, "split": "val"}
            row |= {"commit": "abc", "date": "2026-11-23", "machine": "some CPU"}
            row |= {"cpu_seconds": warm_up * (60.0 if arm == "views" else 40.0)}
            row |= {"warm_up_fingerprint": f"encoder {warm_up}"}
            row |= {
                f"{encoder}.{name}": 40.0 for encoder in ("warm_up", "joint") for name in ("rank_1", "mINP")
            }
            row |= {"warm_up.mAP": 40.0, "joint.mAP": 42.0 + gain}
            write_rows(tmp_path / RUNS, [row])
    return tmp_path


def test_the_report_is_a_table_and_a_picture(project: Path, study: Study) -> None:
    page, picture = write_report(project, study, "val")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("<!-- study two: end -->\nafter\n")
    assert "old" not in text
    # by hand: 45 and 43 have the mean 44 and the standard deviation √2; of two warm-ups no error is told
    row = ("44.0 ± 1.4", "40.0 ± 0.0", "40.0 ± 0.0", "1.5×", "2", "+3.0, +1.0", "", "")
    assert " | ".join(("| `views`: rotated views", *row)) + " |" in text
    assert "All warm-ups share one population of persons." in text
    assert "4 trials, 2026-11-23, at abc, on some CPU." in text
    assert f"({picture.relative_to(page.parent)})" in text
    assert cv2.imread(str(picture)).shape[1] > 800
    page, _ = write_report(project, replace(study, warm_ups={1: {"a": 1}, 2: {"a": 2}}), "val")
    assert "one population" not in page.read_text(encoding="utf-8"), "each warm-up has data of its own"


def test_rows_of_an_arm_that_is_no_longer_defined_change_nothing(project: Path, study: Study) -> None:
    page, picture = write_report(project, study, "val")
    before = page.read_text(encoding="utf-8"), picture.read_bytes()
    row = records(project)[0] | {"arm": "given up", "machine": "other CPU", "warm_up_fingerprint": "other"}
    write_rows(project / RUNS, [row])
    write_report(project, study, "val")
    assert (page.read_text(encoding="utf-8"), picture.read_bytes()) == before


def test_test_identities_have_their_own_place(project: Path, study: Study) -> None:
    """Their trials were not trained again: what they cost is told by those on the validation identities."""
    own = PAGE + PAGE.replace("study two", "study two test")
    (project / PAGE_FILE).write_text(own, encoding="utf-8")
    for row in records(project):
        write_rows(project / RUNS, [row | {"split": "test", "cpu_seconds": "", "joint.mAP": "30"}])
    page, picture = write_report(project, study, "test")
    before, after = page.read_text(encoding="utf-8").split("<!-- study two test: begin -->")
    assert before == PAGE + "before\n"
    assert "`genreid study run two --split test` on the test identities" in after
    assert "| 30.0 ± 0.0 | 40.0 ± 0.0 | 40.0 ± 0.0 | 1.5× | 2 | +0.0, +0.0 |" in after
    assert picture.name == "two-test.png"


def test_what_is_learnt_of_viewpoints_is_told_where_it_is_known(project: Path, study: Study) -> None:
    rows = records(project)
    for row, hits, spread in zip(rows, (30, 32, 35, 40), (0.8, 0.9, 0.7, 0.71), strict=True):
        row |= {f"invariance.joint_hits_{name}": str(hits) for name in ("0_60", "120_180")}
        row |= {f"invariance.joint_spread_{name}": str(spread) for name in ("generated", "true")}
        row |= {f"invariance.warm_up_hits_{name}": "20" for name in ("0_60", "120_180")}
        row |= {f"invariance.warm_up_spread_{name}": "1" for name in ("generated", "true")}
    (project / RUNS).unlink()
    for row in rows:
        write_rows(project / RUNS, [row])
    page, _ = write_report(project, study, "val")
    text = page.read_text(encoding="utf-8")
    # by hand: 35, 40 are 5, 8 more than 30, 32; 0.70, 0.71 are 0.10, 0.19 less than 0.8, 0.9
    assert "| `views` | 37.5 (+6.5) | 37.5 (+6.5) | 0.70 (-0.15) | 0.70 (-0.15) |" in text
    assert "| `plain` | 31.0 | 31.0 | 0.85 | 0.85 |" in text
    assert "| the warm-up | 20.0 ± 0.0 | 20.0 ± 0.0 | 1.00 ± 0.00 | 1.00 ± 0.00 |" in text


def test_mean_and_interval_are_told_of_three_warm_ups(project: Path, study: Study) -> None:
    for row in records(project)[1:4:2]:
        gain = 5.0 if row["arm"] == "views" else 0.0
        more = {"warm_up": 3, "warm_up_fingerprint": "encoder 3", "joint.mAP": 42.0 + gain}
        write_rows(project / RUNS, [row | more])
    page, _ = write_report(project, study, "val")
    # by hand: 3, 1, 5 have the mean 3, the standard deviation 2, the error 2/√3 = 1.155; t(2) = 4.303
    assert "| 3 | +3.0, +1.0, +5.0 | +3.0 ± 1.2 | -2.0 to 8.0 |" in page.read_text(encoding="utf-8")


def test_the_views_of_each_arm_are_told_where_the_true_ones_are_known(project: Path, study: Study) -> None:
    rows = records(project)
    for row, error in zip(rows, (0.125, 0.130, 0.115, 0.110), strict=True):
        row |= {f"views.{name}": str(error) for name in VIEWS}
        write_rows(project / RUNS, [row | {"split": "test"}])
    page = PAGE.replace("study two", "study two test")
    (project / PAGE_FILE).write_text(page, encoding="utf-8")
    written, _ = write_report(project, study, "test")
    text = written.read_text(encoding="utf-8")
    # by hand: 0.115, 0.110 are 0.010, 0.020 less
    assert "| `views` | 0.113 (-0.015) | 0.113 (-0.015) |" in text
    assert "| `plain` | 0.128 | 0.128 |" in text
    assert "What is learnt of viewpoints" not in text


def test_views_that_no_arm_paints_are_told_once(project: Path, study: Study) -> None:
    """Of each warm-up others, and in all its arms the same, but for rounding."""
    for row in records(project):
        rounding = 2e-5 * (row["arm"] == "views")
        views = dict.fromkeys((f"views.{name}" for name in VIEWS), 0.1 * int(row["warm_up"]) + rounding)
        write_rows(project / RUNS, [row | views])
    page, _ = write_report(project, study, "val")
    text = page.read_text(encoding="utf-8")
    told = ", ".join(f"{title} 0.150" for title in VIEWS.values())
    assert f"Rotated views are the same in all arms, none of which learns to paint: {told}." in text
    assert "| `plain` | 0." not in text


def test_further_pairs_of_arms_are_compared_below_the_table(project: Path, study: Study) -> None:
    asked = {"Is it the views?": ("views", "plain"), "And this?": ("views", "unknown")}
    page, _ = write_report(project, replace(study, contrasts=asked), "val")
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
    expected = "`views` against `plain`): +3.0, +1.0"
    assert lines == [f"- Is it the views? ({expected}"]


def test_curves_are_drawn_over_the_trials_that_all_arms_have(project: Path, study: Study) -> None:
    """`views` has no curve of warm-up 2, nor on the validation identities: that of `plain` is left out."""
    for arm, warm_up, split in (
        ("plain", 1, "val"),
        ("plain", 2, "val"),
        ("views", 1, "val"),
        ("views", 2, "test"),
    ):
        key = {"study": "two", "arm": arm, "warm_up": warm_up, "seed": 1, "split": split}
        hits = [{"degrees_apart": x, "pairs": 9, "warm_up": 0.1, "joint": 0.5 * warm_up} for x in (15, 45)]
        kept = [{"yaw_deg": 45, "images": 0.5, "rotated_views": 0.4}]
        for curve, points in {"hits_by_viewpoint": hits, "identity_kept": kept}.items():
            named = [{f"{curve}.{name}": value for name, value in point.items()} for point in points]
            write_rows(project / CURVES / f"{curve}.csv", [key | point for point in named])
    page, _, learnt = write_report(project, study, "val")
    assert learnt.name == "two-val-learnt.png"
    assert cv2.imread(str(learnt)).shape[1] > 800
    assert "mean over warm-up 1, seeds 1:" in page.read_text(encoding="utf-8")
    drawn = curve_points(project, study, "val", PANELS[0])
    assert drawn["joint"].tolist() == [0.5] * 4


def means(line: Line) -> dict[float, tuple[str, float]]:
    return {x: (arm, gain.mean) for x, (arm, gain) in line.items()}


def test_the_gain_is_drawn_along_a_series_of_arms_of_several_studies(project: Path, study: Study) -> None:
    shutil.copytree(ROOT / "recipes", project / "recipes")
    shutil.copy(ROOT / "params.yaml", project)
    for row in records(project):
        arm = {"plain": "continued", "views": "gcl_plus"}[row["arm"]]
        more = 5.0 if arm == "gcl_plus" else 0.0
        figures = {"study": "identities_50", "arm": arm, "joint.mAP": float(row["joint.mAP"]) + more}
        write_rows(project / runs_of("2026-11"), [row | figures])
    points = {"2026-11/identities_50/gcl_plus": 50, "views": 100, "unknown": 200}
    lines = {"gcl_plus": points, "one of two yet": {"views": 1, "planned": 2}}
    asked = replace(study, series={"identities": lines, "one of two": {"views": {"views": 1, "planned": 2}}})
    # by hand: +3 and +1; five more for each in the other study
    found = gains(project, asked, "val")
    assert list(found) == ["identities"] and list(found["identities"]) == ["gcl_plus"]
    assert means(found["identities"]["gcl_plus"]) == {50: ("gcl_plus", 7.0), 100: ("views", 2.0)}
    # One of its arms has no trial of warm-up 2: +3 is left to the other too.
    row = next(row for row in records(project) if (row["arm"], row["warm_up"]) == ("views", "1"))
    write_rows(project / RUNS, [row | {"arm": "unknown", "joint.mAP": 44.0}])
    line = gains(project, asked, "val")["identities"]["gcl_plus"]
    assert means(line) == {50: ("gcl_plus", 7.0), 100: ("views", 3.0), 200: ("unknown", 2.0)}
    told = {**study.arms, "views": replace(study.arms["views"], params={ORACLE: "true_views"})}
    line = gains(project, replace(asked, arms=told), "val")["identities"]["gcl_plus"]
    assert line[100][0] == "views (oracle)", "marked, by which its line is dashed"
    page, _, picture = write_report(project, asked, "val")
    assert picture.name == "two-val-series.png"
    assert cv2.imread(str(picture)).shape[0] > 300
    assert "![The gain in mAP along identities](two-val-series.png)" in page.read_text(encoding="utf-8")


def test_a_report_needs_rows_and_both_marks_or_none(project: Path, study: Study) -> None:
    with pytest.raises(PipelineError, match="has no row of study two on test: run `genreid study run two`"):
        write_report(project, study, "test")
    begin, end = "<!-- study two: begin -->", "<!-- study two: end -->"
    for page in (PAGE.replace(begin, ""), PAGE.replace(end, ""), f"{end}\n{begin}\n"):
        (project / PAGE_FILE).write_text(page, encoding="utf-8")
        with pytest.raises(PipelineError, match=f"one of `{begin}` and `{end}` is missing"):
            write_report(project, study, "val")
        assert (project / PAGE_FILE).read_text(encoding="utf-8") == page


def test_a_page_and_a_place_in_it_are_made_where_there_are_none(project: Path, study: Study) -> None:
    (project / PAGE_FILE).unlink()
    page, _ = write_report(project, study, "val")
    first = page.read_text(encoding="utf-8")
    assert first.startswith("# Two arms\n\n<!-- study two: begin -->\n## On the validation identities\n")
    for row in records(project):
        write_rows(project / RUNS, [row | {"split": "test"}])
    write_report(project, study, "test")
    both = page.read_text(encoding="utf-8")
    assert both.startswith(first + "\n<!-- study two test: begin -->\n## On the test identities\n")
    write_report(project, study, "val")
    assert page.read_text(encoding="utf-8") == both


def test_a_warm_up_of_another_machine_is_not_compared_with(project: Path, study: Study) -> None:
    rows = (project / RUNS).read_text(encoding="utf-8").splitlines()
    assert "encoder 2" in rows[-1]
    rows[-1] = rows[-1].replace("encoder 2", "encoder 3").replace("some CPU", "other CPU")
    (project / RUNS).write_text("\n".join(rows) + "\n", encoding="utf-8")
    expected = "warm-up 2 start from 2 encoders \\(encoder 2 on some CPU; encoder 3 on other CPU\\)"
    with pytest.raises(PipelineError, match=expected):
        write_report(project, study, "val")


def test_a_closed_study_is_told_from_the_rows_and_curves_of_its_period(project: Path, study: Study) -> None:
    """Today's rows of the same name, which another study made, are not its own."""
    row = records(project)[2] | {"seed": 1}
    hits = {"hits_by_viewpoint.degrees_apart": 15, "hits_by_viewpoint.warm_up": 1}
    for folder, value in ((runs_of("2026-11"), 50), (RUNS, 80)):
        for old in records(project) if folder != RUNS else []:
            write_rows(project / folder, [old | {"joint.mAP": 42.0}])
        write_rows(project / folder, [row | {"joint.mAP": value}])
    for period, value in (("2026-11", 5), ("", 8)):
        for arm in ("plain", "views"):
            point = {**row, "arm": arm, **hits, "hits_by_viewpoint.joint": value}
            write_rows(project / curves_of(period) / "hits_by_viewpoint.csv", [point])
    closed = replace(study, name="2026-11/two")
    page, picture, learnt = write_report(project, closed, "val")
    text = page.read_text(encoding="utf-8")
    # by hand: 50 and 42 have the mean 46 and the standard deviation 8/√2; 50 - 42 are 8
    assert "| `views`: rotated views | 46.0 ± 5.7 |" in text and "| +8.0, +0.0 |" in text
    assert "Rows of 2026-11, with the views and defaults of then (`docs/study/runs_2026-11.csv`), on" in text
    assert "genreid study run" not in text
    assert (
        picture == project / "docs" / "study" / "2026-11" / "two-val.png" and learnt.parent == picture.parent
    )
    assert "(two-val.png)" in text
    assert curve_points(project, closed, "val", PANELS[0])["joint"].tolist() == [5, 5]
    with pytest.raises(PipelineError, match=r"runs_2026-11\.csv has no row of study 2026-11/two on test"):
        write_report(project, closed, "test")


def test_arms_that_are_told_the_truth_are_marked_wherever_they_stand(project: Path, study: Study) -> None:
    told = replace(study.arms["views"], params={"train_joint.oracle": "true_views"})
    marked = replace(study, arms=study.arms | {"views": told}, contrasts={"Is it?": ("views", "plain")})
    for one in (study, marked):
        rows = records(project)
        for number, row in enumerate(rows, start=1):
            write_rows(project / RUNS, [row | {f"views.{name}": f"0.1{number}" for name in VIEWS}])
        page, _ = write_report(project, one, "val")
        text = page.read_text(encoding="utf-8")
        is_marked = one is marked
        for line in (
            "| `views`{}: rotated views |",
            "- Is it? (`views`{} against `plain`):",
            "| `views`{} | 0.1",
        ):
            assert (line.format(" (oracle)") in text) == is_marked, line
        assert ("Arms marked (oracle) are told the truth" in text) == is_marked
        assert "`plain` (oracle)" not in text
