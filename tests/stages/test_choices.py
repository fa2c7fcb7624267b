"""Choices that a stage's settings repeat, so that `--help` need not import the science, are the science's."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from genreid.mesh.estimator import EstimatorName
from genreid.render.backend import BackendName
from stages.mesh_extract import MeshExtractSettings
from stages.render_views import RenderViewsSettings


@pytest.mark.parametrize(
    ("settings", "key", "choices"),
    [
        (MeshExtractSettings, "estimator", EstimatorName),
        (RenderViewsSettings, "backend", BackendName),
    ],
)
def test_the_stage_knows_what_the_science_knows(settings: type, key: str, choices: Any) -> None:
    assert get_args(get_type_hints(settings)[key]) == get_args(choices)
