"""`genreid set`: one key of params.yaml, told or changed, and what Tab offers."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import typer
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.errors import PipelineError
from stages.around.setting import SCHEMA, _complete_key, _complete_value
from stages.cli import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml", SCHEMA):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words: str) -> str:
    done = CliRunner().invoke(app, ["set", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def read(project: Path) -> dict[str, dict[str, object]]:
    values: dict[str, dict[str, object]] = YAML(typ="safe").load(project / "params.yaml")
    return values


def test_a_key_is_told(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    told = said("train_joint.contrast.views")
    assert told.splitlines()[0] == "train_joint.contrast.views: warped"
    assert "values: generated, warped, augmented, copy_paste, none" in told
    assert "values: at least 1" in said("train_joint.epochs")
    assert (project / "params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("key", "word", "value"),
    [
        ("train_joint.epochs", "20", 20),
        ("train_joint.contrast.views", "none", "none"),
        ("train_joint.contrast.camera_colours", "true", True),
        ("paths.dataset", "/data/my crops", "/data/my crops"),
        ("prepare_data.folder.query", "null", None),
        ("render_views.yaws_deg", "[0, 90]", [0, 90]),
        ("pretrain_encoder.lr", "1.0e-4", 1e-4),
    ],
)
def test_one_line_changes(project: Path, key: str, word: str, value: object) -> None:
    before = (project / "params.yaml").read_text().splitlines()
    said(key, word)
    found: object = read(project)
    for part in key.split("."):
        assert isinstance(found, dict)
        found = found[part]
    assert found == value
    after = (project / "params.yaml").read_text().splitlines()
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert len(changed) <= 1
    for old, new in changed:
        assert old.partition("#")[2] == new.partition("#")[2]  # the comment stays


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("train_joint.epoch", "3"), "did you mean 'train_joint.epochs'"),
        (("train_joint.epochs", "0"), "train_joint.epochs"),
        (("train_joint.epochs", "many"), "train_joint.epochs"),
        (("train_joint.contrast.views", "wraped"), "warped"),
        (("train_joint.epochs", "[1"), "no value of YAML"),
        (("train_joint.contrast", "3"), "no key 'train_joint.contrast'"),
    ],
)
def test_what_a_stage_would_refuse_is_not_written(
    project: Path, words: tuple[str, str], expected: str
) -> None:
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(PipelineError, match=r"[^\n]*") as caught:
        said(*words)
    assert expected in str(caught.value)
    assert (project / "params.yaml").read_bytes() == before


def test_two_keys_that_do_not_go_together_may_be_set_one_by_one(project: Path) -> None:
    told = said("mesh_extract.splits", "[train]")
    assert "now look at: mesh_extract.splits lacks query" in told
    assert read(project)["mesh_extract"]["splits"] == ["train"]
    assert "now look at" not in said("render_views.splits", "[train]")


def test_a_project_without_a_schema_says_so(project: Path) -> None:
    (project / SCHEMA).unlink()
    with pytest.raises(PipelineError, match=r"params\.schema\.json is missing"):
        said("train_joint.epochs")
    assert _complete_key("train") == []
    (project / SCHEMA).write_text("[]")
    with pytest.raises(PipelineError, match="no JSON schema"):
        said("train_joint.epochs")


def test_tab_offers_keys_and_values(project: Path) -> None:
    offered = _complete_key("train_joint.contrast.m")
    assert "train_joint.contrast.mixup" in offered and "train_joint.contrast.memory" in offered
    values = read(project)

    def leaves(tree: object, prefix: str = "") -> set[str]:
        if not isinstance(tree, dict) or not tree:
            return {prefix.rstrip(".")}
        return set().union(*(leaves(below, f"{prefix}{name}.") for name, below in tree.items()))

    missing = leaves(values) - set(_complete_key(""))
    assert not missing

    def values_of(key: str, incomplete: str) -> list[str]:
        context = SimpleNamespace(params={"key": key})
        return _complete_value(cast(typer.Context, context), incomplete)

    assert values_of("train_joint.contrast.views", "w") == ["warped"]
    assert values_of("train_joint.detach_appearance", "") == ["true", "false"]
    assert values_of("evaluate.reranking", "") == ["null"]
    assert values_of("nothing.like_it", "") == []
