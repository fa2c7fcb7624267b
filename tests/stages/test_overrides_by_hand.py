"""`dvc exp run -S` as the pages have it: what reaches params.yaml is what was meant."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, to_hydra_overrides

from genreid.data.manifest import Manifest
from pipeline.artifacts import read_table
from pipeline.params import Params, load_params
from tests.stages.small_project import ROOT
from tests.stages.smoke_project import SmokeProject
from tests.stages.test_own_data import write_crops


def overridden(folder: Path, command: str) -> Params:
    """params.yaml after a command line, which a shell splits and DVC's own functions apply."""
    words = subprocess.check_output(["bash", "-c", f"printf '%s\\0' {command}"]).decode().split("\0")[:-1]
    given = [word for flag, word in pairwise(words) if flag == "-S"]
    ((file, overrides),) = to_path_overrides(given).items()
    assert file == "params.yaml"
    assert not any(one.is_sweep_override() for one in to_hydra_overrides(overrides)), "one run, not several"
    path = Path(shutil.copy2(ROOT / "params.yaml", folder))
    apply_overrides(path, overrides)
    return load_params(path)


def leaves(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@pytest.mark.parametrize(
    "value",
    [
        r"cam(?P<camera>\d+)/(?P<person>\d+)_.*\.jpg",
        r"(?!0+\D)[^/]{2,5}\s(a|b)$",
        "/data/my crops/Straße, 2. OG",
        r"\\server\share",
        "~/crops: of 2024=#1",
        "[a]",
        "true",
    ],
)
def test_both_quotes_keep_a_value_as_it_is(tmp_path: Path, value: str) -> None:
    before = leaves(dict(load_params(ROOT / "params.yaml").values))
    for key in ("paths.dataset", "prepare_data.folder.query"):
        after = overridden(tmp_path, f"""dvc exp run -S '{key}="{value}"'""")
        assert leaves(dict(after.values)) == before | {key: value}


def test_the_page_has_this_form(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ (dvc exp run -S 'paths.*)$", page, re.MULTILINE)
    after = overridden(tmp_path, command)
    assert after.value("paths.dataset") == "/data/my crops"
    assert after.value("prepare_data.folder.train") == r"cam(?P<camera>\d+)/(?P<person>\d+)_.*\.jpg"


@pytest.mark.slow
def test_a_linked_data_set_that_git_ignores_is_read_in_dvcs_copy_of_the_project(tmp_path: Path) -> None:
    """`dvc exp run --temp` for real, with a blank in the path and a pattern, by the shell's hand."""
    project = SmokeProject(tmp_path / "project")
    num = write_crops(tmp_path / "elsewhere")
    (project.folder / "datasets").mkdir()
    (project.folder / "datasets" / "my crops").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert "datasets" not in project.command("git", "status", "--porcelain").stdout
    train = r"cam (?P<camera>\d)/(?P<person>\d+)_c.*\.jpg"
    command = (
        f"""dvc exp run --temp -n mine -S 'paths.dataset="datasets/my crops"' """
        f"""-S prepare_data.dataset=folder -S 'prepare_data.folder.train="{train}"' prepare-data"""
    )
    (project.folder / "dvc.lock").unlink()  # names results of the default run, which nobody has here
    project.commit("smoke")
    done = project.command("bash", "-c", command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (project.folder / "data" / "manifest.parquet").exists(), "it was done in the copy"

    # DVC applies no experiment of one stage alone: what it came to lies in git and in the cache.
    (revision,) = project.command("git", "for-each-ref", "--format=%(objectname)", "refs/exps").stdout.split()
    for name in ("params.yaml", "dvc.lock"):
        text = project.command("git", "show", f"{revision}:{name}").stdout
        (tmp_path / name).write_text(text)
    params, lock = load_params(tmp_path / "params.yaml"), load_params(tmp_path / "dvc.lock")
    assert params.value("paths.dataset") == "datasets/my crops"
    assert params.value("prepare_data.folder.train") == train
    outs = {out["path"]: out["md5"] for out in lock.values["stages"]["prepare-data"]["outs"]}
    digest = outs["data/manifest.parquet"]
    kept = project.folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    manifest = Manifest.from_table(read_table(kept, ""))
    assert len(manifest) == num and set(manifest.status) == {"ok"}
    assert manifest.info.root == "datasets/my crops", "as it was given, not the copy's place or the link's"
