"""What the pages link to is there, and the line of a link to code is the one that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import link_lines

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r'\[(?P<text>[^]]*)\]\((?P<target>[^)\s]+)(?: "(?P<title>[^"]*)")?\)')


def links(page: Path) -> list[re.Match[str]]:
    """Every link and picture of a page that leads to a place in the repository."""
    found = LINK.finditer(page.read_text(encoding="utf-8"))
    return [link for link in found if "://" not in link["target"]]


def slugs(page: Path) -> set[str]:
    """The names that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link["target"].partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link[0]
        if anchor and target.suffix == ".md":
            assert anchor in slugs(target), link[0]


def test_the_line_of_a_link_is_the_definition_or_holds_what_is_quoted() -> None:
    """By the text of the line alone; the tool that wrote the number reads syntax trees."""
    with_lines = 0
    for page in PAGES:
        for link in links(page):
            path, _, anchor = link["target"].partition("#L")
            if not (path.endswith(".py") and anchor):
                assert not (path.endswith(".py") and link["text"].startswith("`")), f"no line: {link[0]}"
                continue
            line = (page.parent / path).read_text(encoding="utf-8").splitlines()[int(anchor) - 1]
            name = link["text"].strip("`").rpartition(".")[2]
            defined = re.match(rf"\s*((def|class) {name}\b|{name}(:.*)? = )", line)
            assert link["title"] in line if link["title"] else defined, f"{link[0]}: {line}"
            with_lines += 1
    assert with_lines > 50


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(link_lines, "ROOT", tmp_path)
    code = [
        "LIMIT: int = 3",
        "@cache",
        "def first(): pass",
        "class Room:",
        "    def door(self):",
        "        x = 1",
        "        return x",
    ]
    (tmp_path / "code.py").write_text("\n".join(code))
    return tmp_path / "page.md"


def test_lines_are_renewed(page: Path) -> None:
    old = '[`LIMIT`](code.py) [`first`](code.py#L9) [`Room.door`](code.py "return x") [code](code.py)'
    new = '[`LIMIT`](code.py#L1) [`first`](code.py#L3) [`Room.door`](code.py#L7 "return x") [code](code.py)'
    assert link_lines.linked(old, page) == new
    assert link_lines.linked(new, page) == new


@pytest.mark.parametrize(
    "link, missing",
    [
        ("[`first`](other.py)", "no file other.py"),
        ("[`second`](code.py)", "no definition `second` in code.py"),
        ("[`Room.first`](code.py)", "no definition `Room.first` in code.py"),
        ('[`first`](code.py "return x")', "no line with `return x` in `first` of code.py"),
    ],
)
def test_what_is_not_there_is_named(page: Path, link: str, missing: str) -> None:
    with pytest.raises(LookupError, match=re.escape(missing)):
        link_lines.linked(link, page)
