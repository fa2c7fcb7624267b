"""The page of a run: whole, of bounded size, fetching nothing, and true to the files that it is made of."""

from __future__ import annotations

import base64
import re
import subprocess
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genreid.data.manifest import Manifest, ManifestInfo
from genreid.evaluation.retrieval import Pair, rank_pair
from pipeline.artifacts import write_json, write_json_artifact
from pipeline.errors import PipelineError
from stages.using.report.bodies import shares_of
from stages.using.report.charts import Chart, draw
from stages.using.report.clusters import Cluster, Clusters, margins
from stages.using.report.crops import Crop
from stages.using.report.gathering import Gathered, Record, Run
from stages.using.report.lists import choose
from stages.using.report.page import Contents, render
from tests.browser import open_browser, opened, require_accessible
from tests.stages.odd_project import refused
from tests.stages.small_project import SmallProject
from tests.stages.test_wiring import project, share_out

__all__ = ["project"]

FIGURES = {"mAP": 51.25, "rank_1": 62.5, "rank_5": 75.0, "rank_10": 87.5, "mINP": 30.125}
METRICS = {"warm_up": FIGURES, "joint": {name: value + 1 for name, value in FIGURES.items()}}
VOID = {"meta", "img", "input", "br", "link", "hr"}
RNG = np.random.default_rng(3)


class Page(HTMLParser):
    """What a page holds; fails where an element ends that has not begun."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "elements that do not end"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> ends another element"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1].append(data.strip())
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def all(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]

    def pictures(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "img"]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def require_self_contained(page: Page) -> None:
    """Everything that a browser could fetch is in the page itself."""
    for name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action"):
        for value in page.all(name):
            assert value.startswith(("data:image/webp;base64,", "#")), f"{name}={value[:60]}"
    ids = page.all("id")
    assert len(ids) == len(set(ids)), "an id twice"
    assert {value[1:] for value in page.all("href") if value.startswith("#")} <= set(ids)
    for picture in page.pictures():
        content = base64.b64decode(str(picture["src"]).partition(",")[2])
        shown = Image.open(BytesIO(content))
        assert [str(side) for side in shown.size] == [picture["width"], picture["height"]]
        assert picture["alt"], "a picture without words"


@pytest.fixture
def finished(project: SmallProject) -> SmallProject:
    """A project whose stages have run, as far as the page can tell."""
    share_out(project, "query", "gallery")
    folder = project.folder
    write_json_artifact(folder / "metrics.json", METRICS)
    plots = folder / "plots"
    write_json(plots / "evaluate" / "cmc.json", [{"rank": 1, "warm_up": 50, "joint": 60}])
    curve = plots / "train-joint" / "plots" / "metrics" / "loss" / "rotation.tsv"
    curve.parent.mkdir(parents=True)
    curve.write_text("step\trotation\n1\t8.5\n2\t7.25\n")
    Image.fromarray(RNG.integers(0, 256, (300, 500, 3), dtype=np.uint8)).save(
        plots / "evaluate" / "views.png"
    )
    record = {"stage": "evaluate", "finished": "2024-05-01", "warnings": ["few <b>queries</b>"]}
    write_json(folder / "provenance" / "evaluate.json", record)
    return project


def made(project: SmallProject, *arguments: str) -> Page:
    outcome = project.run("report", "--no-progress", *arguments)
    assert outcome.code == 0, outcome.err
    return Page((project.folder / "report.html").read_text())


def test_the_page_needs_nothing_else_and_says_what_the_files_say(finished: SmallProject) -> None:
    page = made(finished)
    require_self_contained(page)
    rows = {row[0]: row[1:] for row in reversed(page.cells) if row}
    assert rows["warm-up"] == ["51.2", "62.5", "75.0", "87.5", "30.1"]
    assert rows["joint training"] == ["52.2", "63.5", "76.0", "88.5", "31.1"]
    for encoder, figures in METRICS.items():
        for name, value in figures.items():
            assert rows[f"{encoder}.{name}"] == [f"{value:.5g}"]
    assert rows["train_joint.seed"[len("train_joint.") :]] == ["1"], "the settings are there"
    assert "evaluate : few <b>queries</b>" in page.text, "a warning as it was recorded"
    assert "metrics.json says mAP 52.2" in page.text or "metrics.json says mAP 51.2" in page.text
    assert "Picture of bodies : plots/mesh-extract/contact_sheet.png is missing" in page.text
    assert {"results", "settings", "training", "views", "lists", "clusters", "data", "stages"} <= set(
        page.all("id")
    )
    assert "4 training images" in page.text
    assert page.pictures(), "crops are shown"


def test_what_no_photograph_can_have_is_not_missing(finished: SmallProject) -> None:
    left_out = "Picture of mixtures : plots/evaluate/mixtures.png is missing"
    assert left_out in made(finished, "--no-embed").text, "the benchmark's run draws it"
    finished.set(prepare_data__dataset="folder")
    assert left_out not in made(finished, "--no-embed").text


def test_without_photographs_there_is_no_picture(finished: SmallProject) -> None:
    page = made(finished, "--no-photographs", "--no-embed")
    assert page.pictures() == []
    assert "Pictures of the data set : --no-photographs was given" in page.text
    assert "Ranked lists : --no-embed was given" in page.text
    assert "lists" not in page.all("id")


def test_a_run_that_has_not_finished_is_told_in_one_line(project: SmallProject) -> None:
    assert refused(project, "report").startswith(
        "evaluate has not run: metrics.json is missing: run `dvc repro`"
    )


def test_only_an_own_page_is_replaced(finished: SmallProject) -> None:
    path = finished.folder / "report.html"
    path.write_text("<!doctype html>\n<p>a page of somebody's about genreid report</p>")
    assert "`genreid report` did not make it" in refused(finished, "report")
    path.unlink()
    made(finished, "--no-embed")
    made(finished, "--no-embed")
    assert finished.run("report", "-o", "report.txt").code == 2


def test_two_runs_side_by_side(finished: SmallProject) -> None:
    folder = finished.folder
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").touch()
    for words in (
        ["init", "-q"],
        ["add", "metrics.json", "params.yaml", "dvc.yaml", ".dvc"],
        ["commit", "-qm", "one"],
    ):
        name = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
        subprocess.run(["git", "-C", str(folder), *name, *words], check=True)
    better = {name: {key: value + 2 for key, value in one.items()} for name, one in METRICS.items()}
    write_json_artifact(folder / "metrics.json", better)
    finished.set(train_joint__seed=7)
    page = made(finished, "--against", "HEAD", "--no-embed")
    rows = {row[0]: row[1:] for row in page.cells if row}
    assert rows["joint training, HEAD"][0] == "52.2" and rows["joint training, this run"][0] == "54.2"
    assert rows["joint training, difference"] == ["+2.0"] * 5
    assert rows["train_joint.seed"] == ["7", "1"]
    assert "nobody" in refused_with(finished, "report", "--against", "nobody")


def refused_with(project: SmallProject, *arguments: str) -> str:
    outcome = project.run(*arguments)
    assert outcome.code == 2 and outcome.err.count("\n") == 1, outcome.err
    return outcome.err


def contents(num_clusters: int = 3, name: str = "a") -> Contents:
    """Clusters of crops that are all noise, which no format makes small."""
    found = [
        Cluster(
            number, 10, 0.1 * number, 0.5 + number / 10, 2, 1, [noise(f"{name} {number}") for _ in range(10)]
        )
        for number in range(num_clusters)
    ]
    run = Run("this run", METRICS, {"train_joint.seed": 1}, {}, {})
    gathered = Gathered(run, None, None, [Record("evaluate", {"warnings": [name]})])
    return Contents(
        f"genreid: {name}",
        name,
        name,
        gathered,
        sheets={"views": RNG.integers(0, 256, (900, 900, 3), dtype=np.uint8)},
        clusters=Clusters(30, num_clusters, 0, 0.5, "none", found),
    )


def noise(image_id: str) -> Crop:
    return Crop(image_id, 1, 7, RNG.integers(0, 256, (128, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("max_bytes", [150_000, 400_000])
def test_pictures_are_left_out_for_the_size(max_bytes: int) -> None:
    text, left_out = render(contents(num_clusters=12), max_bytes)
    page = Page(text)
    assert 0.8 * max_bytes < len(text.encode()) <= max_bytes
    assert left_out > 0 and f"{left_out} found no room in the file" in page.text
    assert len(page.pictures()) + left_out == 121


def test_with_room_every_picture_is_there() -> None:
    text, left_out = render(contents(), 8_000_000)
    assert left_out == 0 and len(Page(text).pictures()) == 31
    require_self_contained(Page(text))
    with pytest.raises(PipelineError, match=r"without any picture: give --max-mb"):
        render(contents(), 10_000)


def test_what_files_are_called_is_text_and_nothing_else() -> None:
    name = """<script>alert(1)</script>"' onerror="alert(2)"""
    text, _ = render(contents(name=name), 8_000_000)
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 1, "the page's own"
    assert not page.all("onerror") and f"genreid: {name}" in " ".join(page.words)
    assert f"{name} 0, camera 1, person 7" in page.all("alt")


def test_margins_are_those_of_a_plain_loop() -> None:
    rows = RNG.normal(size=(9, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.array([0, 0, 0, 1, 1, -1, 2, 2, 3])
    own, margin = margins(rows, labels)
    for i, label in enumerate(labels):
        if label < 0:
            assert np.isnan(own[i]) and np.isnan(margin[i])
            continue
        others = [rows[j] for j in range(9) if labels[j] == label and j != i] or [rows[i]]
        expected = cosine(rows[i], np.sum(others, axis=0))
        nearest = max(cosine(rows[i], rows[labels == other].sum(0)) for other in range(4) if other != label)
        assert own[i] == pytest.approx(expected, abs=1e-5)
        assert margin[i] == pytest.approx(expected - nearest, abs=1e-5)
    alone = margins(rows[:3], labels[:3])
    np.testing.assert_allclose(alone[0], alone[1])


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_headings_are_counted_around_the_middles_of_their_sectors() -> None:
    found = shares_of(np.array([0.0, 14.0, -14.0, 16.0, 179.0, -179.0, -151.0, 180.0]))
    assert sorted(found) == [float(at) for at in range(-150, 181, 30)]
    assert {at: share for at, share in found.items() if share} == {
        0.0: 37.5,
        30.0: 12.5,
        180.0: 37.5,
        -150.0: 12.5,
    }
    assert shares_of(np.zeros(0)) == {}


def test_the_best_and_the_worst_lists_and_those_that_changed() -> None:
    """Query 1 finds its person first in both; query 2 in the joint one only; query 3 in the warm-up only."""

    def part(persons: list[int], camera: int) -> Any:
        rows = [
            {
                "image_id": f"{camera}{n}",
                "path": "x",
                "split": "query",
                "camera_id": camera,
                "person_id": p,
                "status": "ok",
            }
            for n, p in enumerate(persons)
        ]
        return SimpleNamespace(
            manifest=(m := Manifest.from_rows(rows, ManifestInfo("t", "x", 8, 8, "open"))),
            images=range(len(persons)),
            labels=(m.person_id, m.camera_id),
        )

    pair = Pair(part([1, 2, 3], 1), part([1, 2, 3], 2), None)
    gallery = torch_rows([0, 60, 120])
    angles = {"warm_up": [0, 119, 121], "joint": [1, 61, 61]}
    retrievals = {
        name: rank_pair({"queries": torch_rows(of), "gallery": gallery}, pair, 1, None)
        for name, of in angles.items()
    }
    found = choose(pair, retrievals, "test", 1, photographs=False)
    # AP, joint: 1, 1, 1/2 (120 degrees is second nearest to 61); warm-up: 1, 1/2, 1
    assert found.mean_ap == pytest.approx({"warm_up": 250 / 3, "joint": 250 / 3})
    assert [one.query.image_id for one in found.best] == ["10"]
    assert [one.query.image_id for one in found.worst] == ["12"]
    assert [one.query.image_id for one in found.gained] == ["11"]
    assert [one.query.image_id for one in found.lost] == ["12"]
    before, after = found.lost[0].lists
    assert (before.encoder, before.precision, after.encoder, after.precision) == ("warm_up", 100, "joint", 50)
    assert [(entry.crop.image_id, entry.is_match) for entry in after.entries] == [
        ("21", False), ("22", True), ("20", False),
    ]  # fmt: skip


def torch_rows(angles_deg: list[int]) -> Any:
    import torch

    angle = torch.deg2rad(torch.tensor(angles_deg, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()], dim=1).float()


def test_a_chart_has_words_and_no_colour_of_its_own() -> None:
    chart = Chart("A & B", "epoch", "y", {"_$x$": [(1, 2.0), (2, 4.0)], "b": [(1, 1.0)]})
    svg = draw(chart, "key")
    assert 'aria-label="A &amp; B: _$x$ from 2 to 4; b from 1 to 1."' in svg
    colours = set(re.findall(r"#[0-9a-f]{6}", svg))
    assert not colours, colours
    assert (
        "var(--series-1)" in svg
        and "currentColor" in svg
        and "http" not in svg.replace("http://www.w3.org/", "")
    )
    assert chart.table == [(1, [2.0, 1.0]), (2, [4.0, None])]


@pytest.mark.slow
def test_a_browser_shows_it_and_the_filter_works(tmp_path: Path) -> None:
    browser = open_browser()
    path = tmp_path / "report.html"
    path.write_text(render(contents(num_clusters=5), 8_000_000)[0])
    with browser() as chromium:
        for width in (390, 1440):
            for scheme in ("light", "dark"):
                require_sound(chromium, path, width, scheme)


def require_sound(chromium: Any, path: Path, width: int, scheme: str) -> None:
    page = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    said, asked = opened(page, path)
    assert said == [] and [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is wider than the screen"

    def shown() -> list[str]:
        return page.locator(".cluster:visible h3").all_inner_texts()

    assert shown() == [f"Cluster {number}" for number in range(5)]
    page.select_option("[name=order]", "-margin")
    assert shown() == [f"Cluster {number}" for number in (4, 3, 2, 1, 0)]
    page.fill("[name=text]", "a 3")
    assert shown() == ["Cluster 3"]
    assert page.inner_text("#filter-status") == "1 of 5 clusters are shown."
    page.fill("[name=text]", "person 70")
    assert shown() == []
    page.fill("[name=text]", "")
    page.fill("[name=least]", "11")
    assert shown() == []
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.name") == "order", "the keyboard reaches the filter"
    require_accessible(page, path)
