"""The command line as its user sees it: real processes, what they print and how they end."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.artifacts import write_json_artifact
from stages import cli
from stages.cli import STAGES
from stages.shared.results import FIGURES

ROOT = Path(__file__).parents[2]
IMPORTED = """
import json, sys
{program}
names = {{name.partition(".")[0] for name in sys.modules}} - sys.stdlib_module_names
print(json.dumps(sorted(names)), file=sys.stderr)
"""
"""Runs a program, and tells on stderr which packages have been imported."""

OURS = """
sys.argv[1:] = {arguments!r}
from stages.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
"""
BARE = """
import typer
from rich.console import Console
app = typer.Typer(rich_markup_mode="rich")
for name in ("first", "second"):
    @app.command(name, rich_help_panel="Panel")
    def command(number: int = typer.Option(0, help="Of nothing.")) -> None:
        "Do nothing."
for arguments in (["--help"], ["first", "--help"]):
    try:
        app(arguments)
    except SystemExit:
        Console()
"""
"""A command line of the same library that does nothing."""


def genreid(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("genreid")), *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
    )


def imported(program: str) -> set[str]:
    command = [sys.executable, "-c", IMPORTED.format(program=program)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr))


def test_the_version_is_that_of_the_installation(tmp_path: Path) -> None:
    from importlib.metadata import version

    done = genreid("--version", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"genreid {version('genreid')}\n"), done.stderr


def test_the_package_is_a_program_too(tmp_path: Path) -> None:
    """And finds `pipeline` and `stages` beside itself, first of all, whatever else has these names."""
    for name in ("pipeline", "stages"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('somebody else')")
    command = [sys.executable, "-m", "genreid", "prepare-data", "--help"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "--fresh" in done.stdout, done.stderr


def test_help_is_complete() -> None:
    done = genreid("--help", folder=ROOT)
    assert done.returncode == 0
    for stage in STAGES:
        assert stage.__name__.replace("_", "-") in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["train-joint", "--help"], ["search", "--help"]])
def test_help_imports_nothing_but_the_command_line(arguments: list[str]) -> None:
    """Neither torch nor NumPy nor DVC, which take seconds: what a command line needs that does nothing."""
    ours, bare = imported(OURS.format(arguments=arguments)), imported(BARE)
    assert {"stages", "typer"} <= ours
    assert ours - bare <= {"genreid", "pipeline", "stages"}


@pytest.mark.parametrize("stage", [stage.__name__.replace("_", "-") for stage in STAGES])
def test_every_stage_has_its_help(stage: str) -> None:
    done = genreid(stage, "--help", folder=ROOT)
    assert done.returncode == 0
    assert "--fresh" in done.stdout and "--no-progress" in done.stdout


@pytest.mark.parametrize("arguments", [("mesh-extract",), ("summary",), ("overrides", "smoke")])
def test_outside_a_project_one_line_and_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = genreid(*arguments, folder=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "no dvc.yaml and params.yaml here or above" in done.stderr


def test_a_usage_error_has_typers_own_form(tmp_path: Path) -> None:
    done = genreid("mesh-extract", "--frehs", folder=tmp_path)
    assert done.returncode == 2 and "No such option: --frehs" in done.stderr and "Usage" in done.stderr


def test_a_full_disk_and_a_forbidden_file_are_told_in_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for number, remedy in (
        (errno.ENOSPC, "make room on the disk"),
        (errno.EACCES, "make it readable"),
        (errno.EMFILE, "raise the limit of open files (`ulimit -n`)"),
        (errno.ESTALE, "see to the disk, the network and the limits of this machine"),
    ):

        def fail(number: int = number) -> None:
            raise OSError(number, os.strerror(number), "models/joint.pt")

        monkeypatch.setattr(cli, "app", fail)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capfd.readouterr().err
        assert ended.value.code == 2 and told.count("\n") == 1
        assert told.startswith(f"error: models/joint.pt: {os.strerror(number)}: {remedy}")


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.\nSee documentation")]
)
def test_want_of_memory_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capfd.readouterr().err
    assert ended.value.code == 2 and told.count("\n") == 1
    assert told.startswith("error: this machine: ") and "free memory" in told


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(FileNotFoundError):
        cli.main()


def test_an_unknown_key_is_told_before_anything_is_done(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("views: data/views", "view: data/views"))
    done = genreid("mesh-extract", folder=project)
    assert done.returncode == 2
    assert done.stderr == "error: params.yaml:8: paths.view: unknown key; did you mean 'views'?\n"


def test_overrides_print_arguments(project: Path) -> None:
    (project / "recipes").mkdir()
    (project / "recipes" / "small.yaml").write_text(
        "mesh_extract: {splits: [query], limits: {score: 1e-5}}\n"
    )
    done = genreid("overrides", "small", folder=project)
    assert done.stdout == "-S mesh_extract.splits=[query] -S mesh_extract.limits.score=1e-05\n"
    assert genreid("overrides", "small", "--write", folder=project).stdout == ""
    assert "splits: [query]" in (project / "params.yaml").read_text()


def test_recipe_names_complete(project: Path) -> None:
    (project / "recipes").mkdir()
    for name in ("smoke", "small", "market1501"):
        (project / "recipes" / f"{name}.yaml").write_text("{}")
    done = genreid(
        folder=project, _GENREID_COMPLETE="complete_bash", COMP_WORDS="genreid overrides sm", COMP_CWORD="2"
    )
    assert sorted(done.stdout.split()) == ["small", "smoke"]


def test_summary_prints_the_table_and_the_pictures(project: Path) -> None:
    figures = {figure: 50.0 + place for place, figure in enumerate(FIGURES)}
    write_json_artifact(project / "metrics.json", {"warm_up": figures, "joint": figures})
    (project / "plots" / "evaluate").mkdir(parents=True)
    (project / "plots" / "evaluate" / "views.png").write_bytes(b"")
    done = genreid("summary", folder=project)
    assert done.returncode == 0
    row = next(line for line in done.stdout.splitlines() if "joint training" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][1:] == [
        "50.0",
        "51.0",
        "52.0",
        "53.0",
        "54.0",
    ]
    assert "  plots/evaluate/views.png\n" in done.stdout
