"""The layouts by name."""

from __future__ import annotations

import difflib

from genreid.data.datasets.cuhk03 import CUHK03_DETECTED, CUHK03_LABELLED
from genreid.data.datasets.dukemtmc import DUKEMTMC
from genreid.data.datasets.folder import FolderSettings, folder_layout
from genreid.data.datasets.layout import ANY_FOLDER, Layout
from genreid.data.datasets.ltcc import LTCC
from genreid.data.datasets.market1501 import MARKET1501
from genreid.data.datasets.msmt17 import MSMT17
from genreid.errors import GenreidError

PUBLISHED = {
    layout.name: layout for layout in (MARKET1501, DUKEMTMC, MSMT17, CUHK03_LABELLED, CUHK03_DETECTED, LTCC)
}
"""Data sets that others have published, by name."""


def layout_names() -> list[str]:
    """Every name that `layout_named` knows, sorted: for completion and for messages."""
    return sorted([*PUBLISHED, ANY_FOLDER])


def layout_named(name: str, folder: FolderSettings) -> Layout:
    """The layout of that name; `folder` are the patterns of the layout `folder`.

    Raises:
        GenreidError: there is none; the nearest name is told.
    """
    if name == ANY_FOLDER:
        return folder_layout(folder)
    if name not in PUBLISHED:
        (nearest,) = difflib.get_close_matches(name, layout_names(), n=1, cutoff=0.0)
        raise GenreidError(
            f"no data set layout is called {name!r}: expected one of {', '.join(layout_names())}; "
            f"did you mean {nearest!r}?"
        )
    return PUBLISHED[name]
