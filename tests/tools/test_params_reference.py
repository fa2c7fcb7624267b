"""params.yaml's comments, its schema and its page are those of the code, and say what the reader does."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import shutil
import typing
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipeline.errors import PipelineError
from pipeline.params import Params, load_params, section
from pipeline.recipes import load_overrides, recipe_names, write_overrides
from stages.cli import STAGES
from tools.params_reference import __main__ as tool
from tools.params_reference import comments, keys, page
from tools.params_reference.keys import ROOT, Text, run_again, sections, text_of
from tools.params_reference.kinds import kind_of, values

SCHEMA = json.loads((ROOT / "params.schema.json").read_text(encoding="utf-8"))
CHECKER = jsonschema.Draft7Validator(SCHEMA)
DEFAULTS = load_params(ROOT / "params.yaml")
RECIPES = recipe_names(ROOT / "recipes")

OTHERS: list[Any] = [
    None, True, False, -1, -0.5, 0, 1, 2, 3, 5, 15, 16, 64, 66, 360, 5000, 70_000, 10**6, 10**6 + 1,
    2**32 - 1, 2**32, 1e-9, 0.5, 0.99, 1.5, 100.5, 1e300, "", "none",
    "auto", "float32", "a path", "two\nlines", 1001 * "x",
    [], [0], [45], [0, 400], ["train"], ["trian"], [8, 0], {}, {"k1": 1}, {"path": "a", "layout": "spcl"},
    {"path": "a", "layout": "spc"}, {"path": "a"}, {"k1": 3, "k2": 2, "original_weight": 0.5},
]  # fmt: skip
"""What may stand at a key by mistake; no float that is whole, which JSON does not tell from an integer."""


def test_all_three_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--check"]) == 0, capsys.readouterr().err


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    head = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert head == "# yaml-language-server: $schema=params.schema.json"


def test_it_takes_params() -> None:
    assert [error.message for error in CHECKER.iter_errors(DEFAULTS.values)] == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_takes_every_recipe(tmp_path: Path, recipe: str) -> None:
    path = Path(shutil.copy2(ROOT / "params.yaml", tmp_path))
    write_overrides(path, load_overrides(DEFAULTS, ROOT / "recipes", recipe))
    assert [error.message for error in CHECKER.iter_errors(load_params(path).values)] == []


def at(tree: Any, key: str, value: Any) -> Any:
    """A copy of params.yaml's values with another value at a key."""
    tree = copy.deepcopy(dict(tree))
    *parents, last = key.split(".")
    place = tree
    for parent in parents:
        place = place[parent]
    place[last] = value
    return tree


def leaves() -> list[tuple[str, Any]]:
    """Every key that params.yaml has with no key below it, and the annotation of its field."""
    found = []

    def below(prefix: str, made: type[Any]) -> None:
        hints = typing.get_type_hints(made, include_extras=True)
        for field in dataclasses.fields(made):
            name, hint = field.metadata.get("shared", f"{prefix}.{field.name}"), hints[field.name]
            if dataclasses.is_dataclass(hint):
                below(name, typing.cast(type, hint))
            elif (name, hint) not in found:
                found.append((name, hint))

    for name, made in sections().items():
        below(name, made)
    return found


def is_read(hint: Any, value: Any) -> bool:
    """Whether the strict reader takes a value for a field of that annotation, whatever stands beside it."""
    one = dataclasses.make_dataclass("One", [("x", hint)], frozen=True)
    try:
        section(Params(Path("params.yaml"), {"a": {"x": value}}, {}), "a", one)
    except PipelineError:
        return False
    return True


def part_of_schema(key: str) -> Any:
    place = SCHEMA
    for part in key.split("."):
        place = place["properties"][part]
    return place


@pytest.mark.parametrize(("key", "hint"), leaves())
def test_schema_and_reader_take_and_refuse_the_same(key: str, hint: Any) -> None:
    checker = jsonschema.Draft7Validator(part_of_schema(key))
    wrong = [value for value in OTHERS if checker.is_valid(value) != is_read(hint, value)]
    assert wrong == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  seed: 1", "  sede: 1"),
        ("  seed: 1", "  seed: -1"),
        ("    eps: 0.5", "    eps: 1.5"),
        ("  estimator: regressor", "  estimator: regresor"),
        ("  k1: 12", "  k1: twelve"),
        ("    rotation_weight: 1.0", "    # no weight"),
        ("evaluate:", "evalute:"),
    ],
)
def test_what_the_reader_refuses_of_the_whole_file_the_schema_refuses_too(
    tmp_path: Path, old: str, new: str
) -> None:
    path = tmp_path / "params.yaml"
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    params = load_params(path)
    with pytest.raises(PipelineError):
        for name, made in sections().items():
            section(params, name, made)
    assert not CHECKER.is_valid(params.values)


def test_the_schema_tells_what_a_key_is() -> None:
    """By hand, of one key of each kind."""
    assert part_of_schema("train_joint.clustering.eps") == {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.5,
        "description": "Largest Jaccard distance of neighbours in DBSCAN. Paper: 0.55.",
    }
    width = part_of_schema("pretrain_generator.generator.decoder_width")
    assert (width["type"], width["minimum"], width["maximum"], width["multipleOf"]) == ("integer", 4, 8192, 4)
    assert part_of_schema("evaluate.test_views")["items"] == {"enum": ["image", "mirror", "copies", "turned"]}
    assert part_of_schema("pretrain_encoder.encoder.embedding_dim")["type"] == ["integer", "null"]


def test_every_key_has_a_comment_in_the_one_form() -> None:
    found = 0
    for line in (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines():
        if re.match(r" +\w+:", line):
            found += 1
            assert re.fullmatch(r" +\w+:( [^#]+)? # [A-Zαλβk-][^;]*(; [^;]+)*", line), line
            assert len(line) <= 142, line
    assert found == sum(key.is_there and "." in key.name for key in keys.all_keys()) > 150


def test_comments_alone_are_written() -> None:
    """Values, keys, their order and lines that are comments stay; twice is as once."""
    bare = (
        "paths:\n  dataset: null   # old\n\n  # a line of its own\n  images: 'a # b' # old\n"
        "evaluate:\n  reranking:\n    k1: 3\n"
    )
    lines = comments.commented(bare).splitlines()
    assert lines == [
        comments.SCHEMA_LINE,
        "paths:",
        "  dataset: null # Folder of a data set that was not made here; null or text",
        "",
        "  # a line of its own",
        "  images: 'a # b' # Folder of the synthetic benchmark's images",
        "evaluate:",
        "  reranking: # k-reciprocal re-ranking beside the plain figures; null or {k1, k2, original_weight}",
        "    k1: 3 # Neighbours of an image, not counting itself [images]; 1 or more",
    ]
    again = "\n".join(lines) + "\n"
    assert comments.commented(again) == again


def test_the_papers_values_are_those_of_the_recipe_and_of_the_method() -> None:
    paper = load_params(ROOT / "tools" / "params_reference" / "paper.yaml")
    recipe = load_overrides(DEFAULTS, ROOT / "recipes", "market1501")
    known = {key.name: key.paper for key in keys.all_keys() if key.paper is not None}
    assert set(known) == {key for key in paper.lines if not isinstance(paper.value(key), dict)}
    for key, value in known.items():
        assert value == recipe.get(key, DEFAULTS.value(key)), key
    rows = re.findall(
        r"^\| `([\w.]+)` \|[^|]*\|[^|]*\| (\S+) \|",
        (ROOT / "docs" / "method.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    told = {key: value for key, value in rows if value != "–" and key in DEFAULTS.lines}
    assert len(told) > 60
    for key, value in told.items():
        assert comments.written(known[key]) == value or float(known[key]) == float(value), key


def test_the_stages_that_a_key_runs_again() -> None:
    """Of dvc.yaml, by hand."""
    assert run_again("train_joint.contrast.views") == ["train-joint"]
    assert run_again("mesh_extract.estimator") == ["fit-regressor", "mesh-extract"]
    assert run_again("mesh_extract.splits") == ["mesh-extract"]
    assert run_again("clustering.k1") == ["pretrain-encoder", "pretrain-generator", "train-joint"]
    assert run_again("camera_contrast.within") == ["pretrain-encoder", "train-joint"]
    assert run_again("paths.dataset") == ["prepare-data"]
    assert run_again("paths.generator") == ["pretrain-generator", "train-joint"]
    assert run_again("paths.mesh") == [
        "mesh-extract", "render-views", "pretrain-generator", "train-joint", "evaluate",
    ]  # fmt: skip
    assert len(run_again("paths.fingerprints")) == len(STAGES) + 1
    assert keys.followers("pretrain-generator") == ["train-joint", "evaluate"]
    assert keys.followers("evaluate") == []


def test_the_page_has_a_row_for_every_key() -> None:
    text = page.page()
    for name in sections():
        part = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| `([\w.]+)` \|", part, re.MULTILINE)
        assert rows == [
            key.name.removeprefix(f"{name}.") for key in keys.all_keys() if key.name.startswith(f"{name}.")
        ]
        assert len({line.replace("\\|", "").count("|") for line in part.splitlines() if line[:1] == "|"}) == 1


@pytest.mark.parametrize(
    ("hint", "whole", "short"),
    [
        (int, "0 to 1,000,000", "0 or more"),
        (bool, "true or false", "true or false"),
        (str | None, "null or text", "null or text"),
        (typing.Literal["a", "b", "c"], "a, b or c", "a, b or c"),
        (tuple[typing.Literal["a", "b"], ...], "a list of a, b", "a list of a, b"),
    ],
)
def test_values_in_words(hint: Any, whole: str, short: str) -> None:
    assert values(kind_of(hint)) == whole
    assert values(kind_of(hint), is_whole=False) == short


def test_a_text_has_a_form() -> None:
    assert text_of("Height of it [px]. No more\n   than that. None.", "") == Text(
        "Height of it", "px", "No more than that. None."
    )
    assert text_of("Path of ROMP.pkl.", "") == Text("Path of ROMP.pkl", "", "")
    for wrong in ("no full stop", "Two. [px]", ""):
        with pytest.raises(LookupError, match="What it is"):
            text_of(wrong, "here")


def test_a_field_without_a_text_is_named() -> None:
    with pytest.raises(LookupError, match=r"test_params_reference\.py:\d+: Silent\.lr: no text below it"):
        keys.field_texts(Silent)


@dataclasses.dataclass(frozen=True)
class Silent:
    """One field says what it is."""

    epochs: int
    """Rounds [epochs]."""
    lr: float


def test_what_is_out_of_date_is_named_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    for name, text in tool.made().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    stale = tmp_path / "docs" / "params.md"
    stale.write_text("old", encoding="utf-8")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    assert tool.main(["--check"]) == 1
    assert capsys.readouterr().err.startswith("docs/params.md: out of date; run `python -m tools.params_ref")
    assert stale.read_text(encoding="utf-8") == "old"
    assert tool.main([]) == 0 and tool.main(["--check"]) == 0
