"""Each recipe, written into params.yaml, is read strictly by every section's own class."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from genreid.data.datasets.registry import PUBLISHED
from pipeline.params import load_params, refuse_unknown, section
from pipeline.recipes import as_arguments, load_overrides, recipe_names, write_overrides
from stages.shared.run import Paths
from stages.shared.sections import stage_settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("recipe", recipe_names(ROOT / "recipes"))
def test_a_recipe_loads_strictly(tmp_path: Path, recipe: str) -> None:
    path = Path(shutil.copy2(ROOT / "params.yaml", tmp_path))
    overrides = load_overrides(load_params(path), ROOT / "recipes", recipe)
    write_overrides(path, overrides)
    params = load_params(path)
    classes = stage_settings() | {"paths": Paths}
    refuse_unknown(params, classes)
    for name, settings in classes.items():
        section(params, name, settings)
    arguments = as_arguments(overrides)
    assert not any(" " in argument for argument in arguments)


@pytest.mark.parametrize("recipe", ["market1501", "dukemtmc", "msmt17", "folder", "photographs_gpu"])
def test_the_head_of_a_data_sets_recipe_says_what_a_reader_needs(recipe: str) -> None:
    text = (ROOT / "recipes" / f"{recipe}.yaml").read_text()
    head = text[: text.index("\npaths:")]
    assert f"dvc exp run $(genreid overrides {recipe})" in head
    for said in ("one GPU", "BatchNorm sees 256", "Memory expected", "Published", "not yet measured here"):
        assert said in head, said
    assert recipe in ("folder", "photographs_gpu") or recipe in PUBLISHED


@pytest.mark.parametrize(("recipe", "num_images"), [("market1501", 12_936), ("msmt17", 32_621)])
def test_settings_that_were_chosen_on_cuhk03_are_carried_over_as_they_are(
    recipe: str, num_images: int
) -> None:
    """But for the data set, and steps in proportion to the 7,365 training images there."""
    params = load_params(ROOT / "params.yaml")
    chosen = load_overrides(params, ROOT / "recipes", "photographs")
    carried = load_overrides(params, ROOT / "recipes", f"photographs_{recipe}")
    own = {"paths.dataset": f"datasets/{recipe}", "prepare_data.dataset": recipe}
    for key in ("pretrain_encoder.steps_per_epoch", "train_joint.steps_per_epoch"):
        own[key] = round(chosen[key] * num_images / 7365)
    assert carried == chosen | own
    assert (ROOT / "recipes" / f"photographs_{recipe}.yaml").read_text().startswith("# Not measured.")
