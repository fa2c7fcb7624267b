"""dvc.yaml, params.yaml, the commands and what the code really imports say the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.code import PROJECT, code_fingerprint
from pipeline.params import load_params, section, shared_keys
from pipeline.recipes import load_overrides, recipe_names
from stages.cli import STAGES, app
from stages.shared.run import PRODUCERS, Paths, section_name
from stages.shared.sections import stage_settings

ROOT = Path(__file__).parents[2]
NAMES = [stage.__name__.replace("_", "-") for stage in STAGES]
PARAMS = load_params(ROOT / "params.yaml")
FIRST = "fingerprint-code"
SHARED = ["clustering", "camera_contrast"]


@pytest.fixture(scope="module")
def graph() -> dict[str, Any]:
    return YAML(typ="safe").load(ROOT / "dvc.yaml")


@pytest.fixture(scope="module")
def stages(graph: dict[str, Any]) -> dict[str, Any]:
    """All but the first."""
    return {name: stage for name, stage in graph["stages"].items() if name != FIRST}


def entries(listed: list[Any]) -> list[str]:
    """Paths of deps, outs or metrics, without their options."""
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in listed]


def keys_of(listed: list[Any]) -> set[str]:
    """`manifest` of `${paths.manifest}`."""
    return {
        entry[len("${paths.") : -1]
        for entry in entries(listed)
        if entry.startswith("${") and entry.endswith("}")
    }


def test_one_word_for_a_stage_everywhere(graph: dict[str, Any], stages: dict[str, Any]) -> None:
    assert list(graph["stages"]) == [FIRST, *NAMES]
    for name, stage in graph["stages"].items():
        assert stage["cmd"] == f"genreid {name}"
        assert (ROOT / "stages" / f"{section_name(name)}.py").exists()
    for name, stage in stages.items():
        assert section_name(name) in PARAMS.values
        assert stage["params"][0] == section_name(name)
        for key in stage["params"]:
            PARAMS.value(key)
    assert list(PARAMS.values) == ["paths", *SHARED, *map(section_name, NAMES)]
    commands = [
        command.name or section_name(command.callback.__name__).replace("_", "-")
        for command in app.registered_commands
        if command.callback
    ]
    assert commands[: len(NAMES) + 1] == [FIRST, *NAMES]


def test_the_first_stage_is_always_run_and_hides_nothing_behind_it(graph: dict[str, Any]) -> None:
    """DVC neither removes its texts before it can compare them, nor brings back older ones."""
    first = graph["stages"][FIRST]
    assert first["always_changed"] is True
    assert first["outs"] == [{"${paths.fingerprints}": {"cache": False, "persist": True}}]
    assert "deps" not in first and "params" not in first


def test_the_code_of_a_stage_is_one_line(stages: dict[str, Any]) -> None:
    for name, stage in stages.items():
        code, *data = stage["deps"]
        assert code == f"${{paths.fingerprints}}/{name}.txt"
        assert len(keys_of(data)) == len(data), f"{name}: {data}"


def test_every_artifact_has_the_producer_that_messages_name(graph: dict[str, Any]) -> None:
    made = {
        key: name
        for name, stage in graph["stages"].items()
        for key in keys_of(stage["outs"] + stage.get("metrics", []))
    }
    assert made == PRODUCERS
    for stage in graph["stages"].values():
        assert keys_of(stage.get("deps", [])) <= set(made)


def test_no_path_is_written_twice(stages: dict[str, Any]) -> None:
    paths = section(PARAMS, "paths", Paths)
    for stage in stages.values():
        for entry in entries(stage["deps"] + stage["outs"] + stage.get("metrics", [])):
            assert entry.startswith("${paths."), entry
    assert paths.plots


def test_only_metrics_and_plots_stay_outside_the_cache(stages: dict[str, Any]) -> None:
    for stage in stages.values():
        for entry in stage["outs"]:
            assert isinstance(entry, str), entry  # no options: cached, deleted before the stage runs
        for entry in stage.get("metrics", []):
            assert entry == {"${paths.metrics}": {"cache": False}}


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_reads_what_it_depends_on(graph: dict[str, Any], name: str) -> None:
    source = (ROOT / "stages" / f"{section_name(name)}.py").read_text()
    for key in keys_of(graph["stages"][name]["deps"]):
        assert f'"{key}"' in source, f"{name} depends on {key}, and its inputs do not name it"


def test_a_stage_names_the_sections_that_it_shares(stages: dict[str, Any]) -> None:
    for name, settings in stage_settings().items():
        named = set(stages[name.replace("_", "-")]["params"])
        shared = {key.partition(".")[0] for key in shared_keys(settings)}
        assert shared == named & set(SHARED), name


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_fingerprint_holds_what_python_really_loads(name: str) -> None:
    """Beside the reader of imports: Python's own account after running them all."""
    code = f"""
import ast, importlib, sys
path = {str(ROOT / "stages" / section_name(name))!r} + ".py"
for node in ast.walk(ast.parse(open(path).read())):
    if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in {PROJECT}:
        module = importlib.import_module(node.module)
        for alias in node.names:
            if not hasattr(module, alias.name):
                importlib.import_module(node.module + "." + alias.name)
for name, module in list(sys.modules.items()):
    if name.split(".")[0] in {PROJECT} and module.__file__:
        print(name, module.__file__)
"""
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).splitlines()
    loaded = {line.split()[0] for line in printed if not line.endswith("__init__.py")}
    found = set(code_fingerprint(f"stages.{section_name(name)}"))
    assert loaded - {"pipeline.code", "pipeline.sources"} <= found
    assert f"stages.{section_name(name)}" in found


@pytest.mark.parametrize("recipe", recipe_names(ROOT / "recipes"))
def test_recipes_hold_differences_only(recipe: str) -> None:
    for key, value in load_overrides(PARAMS, ROOT / "recipes", recipe).items():
        assert PARAMS.value(key) != value, f"{recipe}: {key} is {value} in params.yaml already"
