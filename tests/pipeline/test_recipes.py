from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from pipeline.errors import PipelineError
from pipeline.params import Params, load_params
from pipeline.recipes import as_arguments, load_overrides, recipe_names, write_overrides

PARAMS = """\
# What everything depends on.
train:
  seed: 1  # of this stage
  lr: 0.1
  splits: [train, query]
  dataset: null
  optimiser: {name: adam, momentum: 0.9}
"""


@pytest.fixture
def params(tmp_path: Path) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS)
    (tmp_path / "recipes").mkdir()
    return load_params(path)


def recipe(params: Params, text: str) -> dict[str, object]:
    folder = params.path.parent / "recipes"
    (folder / "small.yaml").write_text(text)
    return load_overrides(params, folder, "small")


def test_overrides_are_the_leaves(params: Params) -> None:
    found = recipe(params, "train:\n  lr: 1e-5\n  optimiser: {momentum: 0.5}\n  splits: [val]\n")
    assert found == {"train.lr": 1e-5, "train.optimiser.momentum": 0.5, "train.splits": ["val"]}


def test_a_key_that_params_lack_is_refused_with_its_place(params: Params) -> None:
    with pytest.raises(PipelineError, match=r"small.yaml:2: train.rl: .*did you mean 'lr'\?"):
        recipe(params, "train:\n  rl: 1\n")


def test_an_unknown_recipe_names_those_there_are(params: Params) -> None:
    recipe(params, "{}")
    folder = params.path.parent / "recipes"
    assert recipe_names(folder) == ["small"]
    message = r"no recipe 'smal' in recipes/ \(there are: small\); did you mean 'small'"
    with pytest.raises(PipelineError, match=message):
        load_overrides(params, folder, "smal")


@pytest.mark.parametrize(
    "value",
    [
        1,
        -2.5,
        1e-5,
        3e20,
        True,
        None,
        "word",
        "a/b-c.d",
        "true",
        "12",
        "it's",
        "a=b",
        r"cam(?P<camera>\d{1,3})/(?!0+\D).*\.jpg$",
        "a\\'b\\",
        "",
        "null",
        [1, "x", [2.5]],
        {"a": 1},
    ],
)
def test_hydra_reads_every_value_back(value: object) -> None:
    flag, argument = as_arguments({"train.lr": value})
    assert flag == "-S"
    (override,) = OverridesParser.create().parse_overrides([argument])
    assert override.key_or_group == "train.lr"
    read = override.value()
    assert (read == value and type(read) is type(value)) or read.text == value
    if isinstance(value, str):
        assert not isinstance(read, bool | int | float | None)


def test_a_blank_is_refused_for_the_shell_would_split_it() -> None:
    with pytest.raises(PipelineError, match="cannot pass through the shell"):
        as_arguments({"train.name": "two words"})


def test_writing_keeps_comments_and_order(params: Params) -> None:
    write_overrides(params.path, {"train.lr": 1e-5, "train.optimiser.name": "sgd", "train.splits": ["val"]})
    changed = [("0.1", "1e-05"), ("adam", "sgd"), ("[train, query]", "[val]")]
    expected = PARAMS
    for old, new in changed:
        expected = expected.replace(old, new)
    assert params.path.read_text() == expected
    values = load_params(params.path).values["train"]
    assert values["lr"] == 1e-5 and isinstance(values["lr"], float)
