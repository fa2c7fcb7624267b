"""The site of docs/: links to the code, pictures, programs, and all of it as `make docs` builds it."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from html import unescape
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.browser import open_browser, opened, require_accessible
from tools import site_hooks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
MISSING = [name for name in ("mkdocs", "material", "mkdocstrings") if find_spec(name) is None]


@pytest.mark.parametrize(
    "page, link, expected",
    [
        (
            "method.md",
            "](../genreid/losses/contrastive.py#L34)",
            "](code/genreid/losses/contrastive.py.md#L-34)",
        ),
        ("api/index.md", "](../../params.yaml)", "](../code/params.yaml.md)"),
        (
            "notes/a.md",
            '](../../genreid/seeding.py#L3 "quoted")',
            '](../code/genreid/seeding.py.md#L-3 "quoted")',
        ),
        ("switches.md", "](../recipes)", "](code/recipes/index.md)"),
        ("notes/a.md", "](../method.md#joint-training)", "](../method.md#joint-training)"),
        ("method.md", "](https://arxiv.org/abs/2301.00725)", "](https://arxiv.org/abs/2301.00725)"),
        ("method.md", "](../nothing_here.py)", "](../nothing_here.py)"),
        ("method.md", "](../../outside.py)", "](../../outside.py)"),
        ("index.md", "](tutorial.ipynb)", "](tutorial.md)"),
        ("notes/a.md", "](../tutorial.ipynb#training)", "](../tutorial.md#training)"),
    ],
)
def test_links_to_the_repository_stay_with_site_links(page: str, link: str, expected: str) -> None:
    assert site_hooks.with_site_links(f"see [it{link}.", PurePosixPath(page)) == f"see [it{expected}."


def test_a_page_is_made_of_all_that_is_linked_to(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("[a](../params.yaml) [b](other.md) [c](../recipes/studies)")
    found = site_hooks.linked(tmp_path, ["page.md", "made_elsewhere.md"])
    studies = {file.name for file in (ROOT / "recipes" / "studies").glob("*.yaml")}
    expected = {"params.yaml", "recipes/studies", *(f"recipes/studies/{name}" for name in studies)}
    assert {str(path) for path in found} == expected


def test_the_page_of_a_file_has_all_of_its_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blank ones at the beginning too, and nothing in it is read as Markdown or HTML."""
    monkeypatch.setattr(site_hooks, "ROOT", tmp_path)
    (tmp_path / "rooms").mkdir()
    text = "\n\nx = 1  # ![a](b.png) <b>\n\n```\n"
    for name in ("a.py", "b.strange"):
        (tmp_path / "rooms" / name).write_text(text)
        page = SimpleNamespace(
            file=SimpleNamespace(src_uri=f"code/rooms/{name}.md"), present_anchor_ids={"top"}
        )
        html = site_hooks.on_page_content("<h1>a</h1>", page)
        assert html.startswith("<h1>a</h1>")
        told = unescape(re.sub(r"<[^>]+>", "", html.removeprefix("<h1>a</h1>")))
        assert re.sub(r"^ *\d", "", told, flags=re.MULTILINE).strip("\n") == text.strip("\n")
        lines = set(re.findall(r'id="([^"]+)"', html))
        assert lines == {f"L-{number}" for number in range(1, 6)} == page.present_anchor_ids - {"top"}
    folder = site_hooks.code_page(PurePosixPath("rooms"))
    assert "# rooms\n\n- [a.py](a.py.md)\n" in folder and "exclude: true" in folder
    page = SimpleNamespace(file=SimpleNamespace(src_uri="code/rooms/index.md"))
    assert site_hooks.on_page_content("<h1>rooms</h1>", page) == "<h1>rooms</h1>"


def test_a_picture_without_words_is_told(caplog: pytest.LogCaptureFixture) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="a.md"))
    with caplog.at_level(logging.WARNING):
        site_hooks.on_page_markdown("![Persons from seven sides](a.png)", page)
        assert not caplog.records
        site_hooks.on_page_markdown("![Curves](a.png)", page)
    assert "a.md: a picture has no words: ![Curves](" in caplog.text


def test_every_page_is_in_the_navigation_once() -> None:
    def leaves(nav: object) -> list[str]:
        if isinstance(nav, str):
            return [nav]
        inner = nav.values() if isinstance(nav, dict) else nav
        return [leaf for part in inner for leaf in leaves(part)]  # type: ignore[attr-defined]

    text = re.sub(r"!!python\S+", "", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    told = leaves(YAML(typ="safe").load(text)["nav"])
    made = [page.with_suffix(".md") for page in DOCS.rglob("*.ipynb")]
    assert sorted(told) == sorted(str(page.relative_to(DOCS)) for page in [*PAGES, *made])


def test_the_program_of_the_api_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", (DOCS / "api/index.md").read_text(), re.M | re.S)
    exec(compile(program, "docs/api/index.md", "exec"), {})
    told = capsys.readouterr().out
    assert re.search(r"^20 clusters, \d outliers$", told, re.M), told
    assert float(re.search(r"mAP ([\d.]+)", told)[1]) > 90


def test_modules_of_the_api_are_there() -> None:
    named = [
        name
        for page in (DOCS / "api").glob("*.md")
        for name in re.findall(r"^::: (\S+)", page.read_text(), re.M)
    ]
    assert len(named) == len(set(named)) > 20
    for name in named:
        assert (ROOT / f"{name.replace('.', '/')}.py").is_file(), name


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the site is built into; a warning of the build is an error."""
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)} (pip install -e '.[docs]')")
    folder = tmp_path_factory.mktemp("site") / "site"
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.slow
def test_the_site_has_all_pages_and_its_links_lead_to_what_they_name(site: Path) -> None:
    for page in PAGES:
        assert (site / page.relative_to(DOCS).with_suffix(".html")).is_file(), page
    method = (site / "method.html").read_text(encoding="utf-8")
    link = re.search(r'href="(code/genreid/training/joint\.py\.html)#(\S+?)"[^>]*><code>joint_step<', method)
    assert link is not None
    code = (site / link[1]).read_text(encoding="utf-8")
    line = code.split(f'id="{link[2]}"')[1].split("\n")[0]
    assert "def joint_step(" in re.sub(r"<[^>]+>", "", line)
    assert 'id="genreid.evaluation.ranking.rank"' in (site / "api/evaluation.html").read_text("utf-8")
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))["docs"]
    found = {entry["location"].partition("#")[0] for entry in index}
    assert "using_a_model.html" in found and not any(place.startswith("code/") for place in found)


@pytest.mark.slow
def test_the_site_needs_no_network(site: Path) -> None:
    fetched = [
        address
        for page in site.rglob("*.html")
        for address in re.findall(
            r'<(?:link|script|img)[^>]*(?:href|src)="(https?://[^"]+)"', page.read_text("utf-8")
        )
    ]
    assert not fetched


@pytest.mark.slow
def test_a_browser_shows_the_site_from_the_disk_and_finds_a_word(site: Path) -> None:
    browser = open_browser()
    with browser() as chromium:
        for width in (390, 1440):
            for scheme in ("light", "dark"):
                context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                for name in ("results", "commands", "code/genreid/training/joint.py"):
                    require_sound(context.new_page(), site / f"{name}.html", width)
        page = context.new_page()
        page.goto((site / "index.html").as_uri())
        page.click("input.md-search__input")
        page.keyboard.type("ranking", delay=30)
        page.wait_for_selector(".md-search-result__article h1")
        assert "Ranking" in page.locator(".md-search-result__article h1").all_inner_texts()


def require_sound(page: Any, path: Path, width: int) -> None:
    """Nothing is amiss, comes from elsewhere, is wider than the screen, or hard to read (by axe-core)."""
    said, asked = opened(page, path, wait_ms=300)  # scripts ask for more when the page is there
    assert said == [], path
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked), asked
    assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    require_accessible(page, path)
    page.close()
