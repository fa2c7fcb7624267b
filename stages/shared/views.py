"""Views as the stages after `render-views` read them."""

from __future__ import annotations

from genreid.render.views import ViewStore
from pipeline.artifacts import require_table
from stages.shared.run import Project


def open_views(run: Project) -> ViewStore:
    """The pictures of the view shards, each of which is read once to see that it is whole."""
    for part in run.parts("views"):
        require_table(part, run.remedy("views"))
    return ViewStore(run.parts("views"))
