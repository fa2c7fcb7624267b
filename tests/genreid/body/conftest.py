"""Bodies for the tests of this room."""

from __future__ import annotations

import pytest

from genreid.body.body import Body, load_body


@pytest.fixture(scope="session")
def body() -> Body:
    return load_body("open")
