"""What MkDocs does not do by itself for the site of docs/ (mkdocs.yml names this file).

Pages link to the code as they do on GitHub, by a path in the repository, such as `../params.yaml`. The site
has a page for every file that is linked to, with its lines numbered, so that such a link works without GitHub
and without a network. A folder that is linked to has a page that lists its files. A notebook has a page too.
A picture without words for who does not see it is a warning, which `--strict` makes an error.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tools import tutorial

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\((?P<path>[^)\s#:]+)(?:#(?P<anchor>[\w-]+))?(?P<title> \"[^\"]*\")?\)")
PICTURE = re.compile(r"!\[(?P<words>[^\]]*)\]\(")
LEAST_WORDS = 3
NOTEBOOK = ".ipynb"
LINE = re.compile(r"L(\d+)$")
SHOWN = (".py", ".yaml", ".yml", ".html", ".md", ".toml")
"""Files of a folder that is linked to, by how their names end."""
CODE = "code"
"""The folder of the site for pages of the repository's files."""
_log = logging.getLogger("mkdocs.hooks")


def on_files(files: Any, config: Any) -> Any:
    """Add a page for every notebook, and for everything in the repository that the pages link to."""
    from mkdocs.structure.files import File

    for file in [file for file in files if file.src_uri.endswith(NOTEBOOK)]:
        place = PurePosixPath(file.src_uri)
        notebook = json.loads((Path(config.docs_dir) / place).read_text(encoding="utf-8"))
        page = tutorial.page_of(notebook, place.stem)
        files.append(File.generated(config, str(place.with_suffix(".md")), content=page.markdown))
        for name, picture in page.pictures.items():
            files.append(File.generated(config, str(place.with_name(name)), content=picture))
    pages = [file.src_uri for file in files if file.src_uri.endswith(".md")]
    for path in sorted(linked(Path(config.docs_dir), pages)):
        files.append(File.generated(config, page_of(path), content=code_page(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to the repository lead to its pages on the site; pictures have words."""
    for picture in PICTURE.finditer(markdown):
        if len(picture["words"].split()) < LEAST_WORDS:
            _log.warning("%s: a picture has no words: %s…)", page.file.src_uri, picture[0])
    return with_site_links(markdown, PurePosixPath(page.file.src_uri))


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """The lines of a file below its name; MkDocs learns of them, so that a link to no line is a warning."""
    place = PurePosixPath(page.file.src_uri)
    if place.parts[0] != CODE or place.name == "index.md":
        return html
    path = ROOT / place.relative_to(CODE).with_suffix("")
    text = path.read_text(encoding="utf-8")
    page.present_anchor_ids = {
        *(page.present_anchor_ids or ()),
        *map(_anchor, range(1, len(text.splitlines()) + 1)),
    }
    return html + numbered(text, path.name)


def with_site_links(markdown: str, page: PurePosixPath) -> str:
    """The text of a page (`page`: its path below docs/), its links to the repository turned to the site."""

    def turned(link: re.Match[str]) -> str:
        if link["path"].endswith(NOTEBOOK):
            return link[0].replace(NOTEBOOK, ".md", 1)
        path = in_repository(page, link["path"])
        if path is None:
            return link[0]
        place = os.path.relpath(page_of(path), page.parent)
        line = LINE.match(link["anchor"] or "")
        anchor = f"#{_anchor(int(line[1]))}" if line else ""
        return f"]({place}{anchor}{link['title'] or ''})"

    return LINK.sub(turned, markdown)


def linked(docs: Path, pages: Iterable[str]) -> set[PurePosixPath]:
    """What pages link to outside docs/, and the files of linked folders; paths in the repository."""
    found: set[PurePosixPath] = set()
    for page in pages:
        if not (docs / page).is_file():
            continue  # made by another plugin
        for link in LINK.finditer((docs / page).read_text(encoding="utf-8")):
            path = in_repository(PurePosixPath(page), link["path"])
            if path is not None:
                found |= {path, *_files_in(path)}
    return found


def in_repository(page: PurePosixPath, link: str) -> PurePosixPath | None:
    """Where a link leads in the repository; None where it stays within docs/ or leads to nothing."""
    path = PurePosixPath(os.path.normpath(PurePosixPath("docs") / page.parent / link))
    if path.parts[0] in ("docs", "..") or not (ROOT / path).exists():
        return None
    return path


def page_of(path: PurePosixPath) -> str:
    """Where the site has a file or folder of the repository."""
    return f"{CODE}/{path}/index.md" if (ROOT / path).is_dir() else f"{CODE}/{path}.md"


def code_page(path: PurePosixPath) -> str:
    """The page of a file, whose lines come later; of a folder, with its files. Not a part of the search."""
    files = "".join(f"- [{file.name}]({file.name}.md)\n" for file in _files_in(path))
    return f"---\nsearch:\n  exclude: true\nhide: [toc]\n---\n# {path}\n\n{files}"


def numbered(text: str, name: str) -> str:
    """A file's text in HTML, coloured by its name; each line has an anchor that its number links to."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import TextLexer, get_lexer_for_filename
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_for_filename(name, stripnl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False)
    how = {"linenos": "inline", "lineanchors": "L", "anchorlinenos": True, "wrapcode": True}
    return str(highlight(text, lexer, HtmlFormatter(cssclass="highlight", **how)))


def _anchor(line: int) -> str:
    """As Pygments names it."""
    return f"L-{line}"


def _files_in(path: PurePosixPath) -> Iterator[PurePosixPath]:
    """The files of a folder, sorted, without those of folders in it."""
    if (ROOT / path).is_dir():
        for file in sorted((ROOT / path).iterdir()):
            if file.is_file() and file.suffix in SHOWN:
                yield path / file.name
