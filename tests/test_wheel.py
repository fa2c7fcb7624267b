"""The wheel alone, as somebody installs it: no clone and no Python path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from stages.starting.templates import templates
from tools.release import ROOT, build, install, require_one_name, try_out, version_of

pytestmark = pytest.mark.slow

FINGERPRINTS = """
import json
from pathlib import Path
print(json.dumps({path.stem: path.read_text() for path in sorted(Path("fingerprints").glob("*.txt"))}))
"""


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and an empty folder to work in."""

    python: Path
    folder: Path

    def run(self, *command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command of the environment, which is activated and knows nothing of this clone."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "GENREID_DEVICE": "cpu",
            "GENREID_WORKERS": "1",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }
        return subprocess.run(
            command, cwd=folder or self.folder, env=environment, capture_output=True, text=True
        )

    def ok(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the working tree, without what a build leaves in it."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(command, cwd=ROOT, text=True).splitlines():
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    build(source, "sdist", made)
    (archive,) = made.glob("*.tar.gz")
    shutil.unpack_archive(archive, source / "unpacked")
    (unpacked,) = (source / "unpacked").iterdir()
    build(unpacked, "wheel", made)  # as pip builds where there is no wheel
    (wheel,) = made.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("installed")
    folder = place / "work"
    folder.mkdir()
    return Installed(install(wheel, place / "environment"), folder)


def test_it_holds_one_name_and_all_that_a_run_reads(wheel: Path) -> None:
    require_one_name(wheel)
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
        modules = {
            f"genreid/{'' if top == 'genreid' else '_program/'}{path.relative_to(ROOT).as_posix()}".replace(
                "genreid/genreid/", "genreid/"
            )
            for top in ("genreid", "pipeline", "stages")
            for path in (ROOT / top).rglob("*.py")
        }
        assert modules <= names
        for name in (
            "py.typed",
            "body/assets/open_body.npz",
            "_program/stages/using/report/assets/report.js",
        ):
            assert f"genreid/{name}" in names, name
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        assert f"\nVersion: {version_of(ROOT)}\n" in files.read(metadata).decode()


def test_the_environment_gets_one_name(installed: Installed) -> None:
    for name in ("pipeline", "stages", "tools", "tests"):
        done = installed.run("python", "-c", f"import {name}")
        assert done.returncode == 1 and f"No module named '{name}'" in done.stderr, done.stdout
    where = installed.ok("python", "-c", "import genreid; print(genreid.__file__)")
    assert where.startswith(str(installed.python.parent.parent))


def test_version_and_init(installed: Installed, tmp_path: Path) -> None:
    try_out(installed.python, version_of(ROOT), tmp_path / "project")
    for name, content in templates().items():
        assert (tmp_path / "project" / name).read_bytes() == content, name


def test_somebody_elses_packages_of_the_same_names_stay_theirs(installed: Installed, tmp_path: Path) -> None:
    for name in ("pipeline", "stages"):
        (tmp_path / f"{name}.py").write_text("SAID = 'mine'\n")
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import pipeline, stages, genreid.data.manifest; "
        "assert pipeline.SAID == stages.SAID == 'mine'"
    )
    installed.ok("python", "-c", program, str(tmp_path))
    # and where Python looks into such a folder first, the command finds its own
    own = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [installed.python.with_name("genreid"), "prepare-data", "--help"],
        env=os.environ | own, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0 and "--fresh" in done.stdout, done.stderr


def test_a_project_is_run_without_a_clone(installed: Installed) -> None:
    """To the views: stages of DVC, worker processes, the open body, compiled kernels."""
    installed.ok("genreid", "init")
    installed.ok("genreid", "overrides", "smoke", "--write")
    assert "-S mesh_extract.estimator=blazepose" in installed.ok("genreid", "overrides", "photographs")
    installed.ok("python", "-m", "dvc", "repro", "render-views")
    for name in ("data/manifest.parquet", "models/regressor.pt", "data/views/part-00000.parquet"):
        assert (installed.folder / name).is_file(), name
    provenance = json.loads((installed.folder / "provenance" / "render-views.json").read_text())
    assert provenance["versions"]["genreid"] == version_of(ROOT)
    again = installed.ok("python", "-m", "dvc", "repro", "render-views")
    assert again.count("Running stage") == 1  # the first, which always runs


def test_the_code_is_known_by_the_same_text_as_in_a_clone(installed: Installed, tmp_path: Path) -> None:
    """So that results of a clone and of a wheel are each other's."""
    from pipeline.code import code_fingerprint

    kept = json.loads(installed.ok("python", "-c", FINGERPRINTS))
    assert {"prepare-data", "train-joint", "evaluate"} <= set(kept)
    for stage, text in kept.items():
        here = code_fingerprint(f"stages.{stage.replace('-', '_')}")
        assert text.splitlines() == [f"{name} {value}" for name, value in here.items()], stage


def test_a_mistake_is_still_one_line(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("genreid", "summary", folder=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
