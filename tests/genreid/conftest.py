from __future__ import annotations

import pytest

from genreid.clustering import searches
from genreid.clustering.faiss_search import search_faiss
from genreid.clustering.int8_search import search_int8

WAYS = {"faiss": search_faiss, "int8": search_int8}


@pytest.fixture(params=WAYS)
def exact_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The exact search goes this way, whatever the processor and the number of images."""
    name: str = request.param
    monkeypatch.setattr(searches, "quickest_search", lambda num_images: WAYS[name])
    return name
