"""The page: what was gathered and found, as one HTML text of bounded size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from stages.using.report import tables
from stages.using.report.album import Album, Photo
from stages.using.report.charts import draw
from stages.using.report.plots import curve_charts, heading_chart, training_charts

if TYPE_CHECKING:
    import numpy as np

    from stages.using.report.bodies import Headings
    from stages.using.report.charts import Chart
    from stages.using.report.clusters import Clusters
    from stages.using.report.crops import Crop
    from stages.using.report.gathering import Gathered
    from stages.using.report.lists import Lists
    from stages.using.report.tables import DataSummary, Table

GENERATOR = "genreid report"
BEGINNING = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<meta name="generator" content="{GENERATOR}">'
)
"""How a page of ours begins, by which it is known."""

_SHEET_PX, _CROP_PX = (2600, 1500), (128, 96)
_SECTIONS = {
    "results": "Results",
    "warnings": "Warnings",
    "settings": "Settings",
    "training": "Training curves",
    "views": "Generated views",
    "lists": "Ranked lists",
    "changed": "Changed most",
    "clusters": "Clusters",
    "bodies": "Bodies",
    "data": "Data",
    "stages": "Stages",
}


@dataclass(frozen=True)
class Contents:
    """All that the page shows. sheets: pictures of the stages by name, uint8 RGB. The rest is None where it
    was left out, for the reason in `gathered.missing`."""

    title: str
    subtitle: str
    footer: str
    gathered: Gathered
    sheets: Mapping[str, np.ndarray] = field(default_factory=dict)
    lists: Lists | None = None
    clusters: Clusters | None = None
    headings: Headings | None = None
    data: DataSummary | None = None
    notices: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Drawn:
    """A chart as the template takes it."""

    chart: Chart
    key: str
    svg: Any
    table: Table


@dataclass(frozen=True)
class Photos:
    """The pictures that found room."""

    sheets: Mapping[str, Photo] = field(default_factory=dict)
    crops: Mapping[int, Photo] = field(default_factory=dict)

    def sheet(self, name: str) -> Photo | None:
        return self.sheets.get(name)

    def of(self, crop: Crop) -> Photo | None:
        return self.crops.get(id(crop))


def render(contents: Contents, max_bytes: int) -> tuple[str, int]:
    """The page, and how many pictures found no room in it. Raises PipelineError where it is larger than
    `max_bytes` without any."""
    page = _Page(contents)
    bare = len(page.text(Photos(), "").encode())
    album = Album(max_bytes - bare - 500)  # the note on what found no room
    if album.room < 0:
        raise PipelineError(
            f"the page takes {bare / 1e6:.2f} MB without any picture: give --max-mb more than that"
        )
    photos = _photos(contents, album)
    text = page.text(photos, _left_out(album))
    assert len(text.encode()) <= max_bytes, "the album counts more than a picture takes"
    return text, album.left_out


class _Page:
    """The template's values that do not depend on pictures are worked out once."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def text(self, photos: Photos, left_out: str) -> str:
        from jinja2 import Environment, StrictUndefined

        environment = Environment(
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.tests["words"] = _is_words
        template = environment.from_string(_asset("report.html.jinja"))
        missing = list(self._contents.gathered.missing.items())
        if left_out:
            missing.append(("Pictures", left_out))
        values = self._values | {"photos": photos, "missing": missing}
        return template.render(values).lstrip()

    @cached_property
    def _values(self) -> dict[str, Any]:
        from markupsafe import Markup

        contents, gathered = self._contents, self._contents.gathered
        lists, headings = contents.lists, contents.headings
        has = {
            "views": bool({"views", "mixtures", "painting"} & set(contents.sheets)),
            "bodies": "bodies" in contents.sheets,
        }
        values = {
            "title": contents.title,
            "subtitle": contents.subtitle,
            "footer": contents.footer,
            "generator": GENERATOR,
            "style": Markup(_asset("report.css")),
            "script": Markup(_asset("report.js")),
            "encoders": {"warm_up": "warm-up", "joint": "joint training"},
            "has": has,
            "results": tables.results(gathered),
            "curves": _drawn("curve", curve_charts(gathered)),
            "warnings": contents.notices + tables.warnings(gathered),
            "settings": tables.settings(gathered),
            "training": self._training(),
            "lists": lists,
            "clusters": contents.clusters,
            "headings": None if headings is None else self._headings(headings),
            "data": contents.data,
            "stages": tables.stages(gathered),
        }
        there = {
            "training": values["training"],
            "views": has["views"],
            "lists": lists,
            "changed": lists and (lists.gained or lists.lost),
            "clusters": contents.clusters,
            "bodies": has["bodies"] or headings,
            "data": contents.data,
        }
        values["sections"] = [(key, name) for key, name in _SECTIONS.items() if there.get(key, True)]
        return values

    def _training(self) -> list[dict[str, Any]]:
        gathered = self._contents.gathered
        return [
            {
                "name": stage,
                "charts": _drawn(f"training-{stage}", charts),
                "table": tables.epochs(stage, gathered.run.training[stage]),
            }
            for stage, charts in training_charts(gathered).items()
        ]

    def _headings(self, headings: Headings) -> dict[str, Any]:
        chart = heading_chart(headings)
        drawn = _drawn("headings", [chart]) if chart is not None else []
        return {"table": tables.statuses(headings), "chart": drawn[0] if drawn else None}


def _is_words(cell: str) -> bool:
    """Whether a cell is no number, nor in the place of one."""
    return re.fullmatch(r"[–+-]?[\d.,e+-]*( %)?|nan", cell) is None


def _drawn(word: str, charts: list[Chart]) -> list[Drawn]:
    from markupsafe import Markup

    keys = [f"{word}-{number}" for number in range(1, len(charts) + 1)]
    return [
        Drawn(chart, key, Markup(draw(chart, key)), tables.of_chart(chart))
        for key, chart in zip(keys, charts, strict=True)
    ]


def _photos(contents: Contents, album: Album) -> Photos:
    """Sheets first, then lists, then clusters, each within a share of the room that is left."""
    sheets, crops = {}, {}
    with album.share(0.5):
        for number, (name, picture) in enumerate(contents.sheets.items()):
            with album.share(1.5 / (len(contents.sheets) - number + 0.5)):
                photo = album.add(picture, _SHEET_PX, may_shrink=True)
            if photo is not None:
                sheets[name] = photo
    for share, group in ((0.5, _of_lists(contents.lists)), (1.0, _of_clusters(contents.clusters))):
        with album.share(share):
            for crop in group:
                if crop.picture is not None and (photo := album.add(crop.picture, _CROP_PX)) is not None:
                    crops[id(crop)] = photo
    return Photos(sheets, crops)


def _of_lists(lists: Lists | None) -> Iterator[Crop]:
    groups = [] if lists is None else [lists.best, lists.worst, lists.drawn, lists.gained, lists.lost]
    for asked in (one for group in groups for one in group):
        yield asked.query
        for ranked in asked.lists:
            yield from (entry.crop for entry in ranked.entries)


def _of_clusters(clusters: Clusters | None) -> Iterator[Crop]:
    for one in [] if clusters is None else clusters.shown:
        yield from one.crops


def _left_out(album: Album) -> str:
    if not album.left_out:
        return ""
    return f"{album.left_out} found no room in the file; give --max-mb more"


def _asset(name: str) -> str:
    return (files("stages.using.report") / "assets" / name).read_text(encoding="utf-8")
