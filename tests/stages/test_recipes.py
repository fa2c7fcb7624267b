"""Each recipe, written into params.yaml, is read strictly by every section's own class."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from genreid.data.datasets.folder import FolderSettings
from genreid.data.datasets.registry import PUBLISHED
from genreid.evaluation.reranking import RerankingSettings
from genreid.mesh.romp import RompSettings
from genreid.synthetic import SyntheticSettings
from genreid.training.generator import GeneratorPretrainingSettings
from genreid.training.regressor import FitSettings
from genreid.training.settings import JointSettings
from pipeline.params import load_params, section
from pipeline.recipes import as_arguments, load_overrides, recipe_names, write_overrides
from stages._import import PretrainEncoderSettings
from stages._limits import check_limits
from stages._run import Paths
from stages.evaluate import EvaluateSettings
from stages.mesh_extract import MeshExtractSettings
from stages.prepare_data import PrepareDataSettings
from stages.render_views import RenderViewsSettings

ROOT = Path(__file__).parents[2]
CLASSES: dict[str, type[Any]] = {
    "paths": Paths,
    "prepare_data": PrepareDataSettings,
    "prepare_data.folder": FolderSettings,
    "prepare_data.synthetic": SyntheticSettings,
    "fit_regressor": FitSettings,
    "mesh_extract": MeshExtractSettings,
    "mesh_extract.romp": RompSettings,
    "render_views": RenderViewsSettings,
    "pretrain_encoder": PretrainEncoderSettings,
    "pretrain_generator": GeneratorPretrainingSettings,
    "train_joint": JointSettings,
    "evaluate": EvaluateSettings,
    "evaluate.reranking": RerankingSettings,
}


@pytest.mark.parametrize("recipe", recipe_names(ROOT / "recipes"))
def test_a_recipe_loads_strictly(tmp_path: Path, recipe: str) -> None:
    path = Path(shutil.copy2(ROOT / "params.yaml", tmp_path))
    overrides = load_overrides(load_params(path), ROOT / "recipes", recipe)
    write_overrides(path, overrides)
    params = load_params(path)
    for name, settings_class in CLASSES.items():
        if params.value(name) is not None:
            section(params, name, settings_class)
    sections = [name for name in params.values if name != "paths"]
    check_limits(params, sections)
    assert set(sections) <= set(CLASSES)
    arguments = as_arguments(overrides)
    assert not any(" " in argument for argument in arguments)


@pytest.mark.parametrize("recipe", ["market1501", "dukemtmc", "msmt17", "folder"])
def test_the_head_of_a_data_sets_recipe_says_what_a_reader_needs(recipe: str) -> None:
    text = (ROOT / "recipes" / f"{recipe}.yaml").read_text()
    head = text[: text.index("\npaths:")]
    assert f"dvc exp run $(genreid overrides {recipe})" in head
    for said in ("one GPU", "BatchNorm sees 256", "Memory expected", "Published", "not yet measured here"):
        assert said in head, said
    assert recipe == "folder" or recipe in PUBLISHED
