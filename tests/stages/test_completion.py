"""What a shell completes after `genreid`, in a real shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages.cli import STAGES

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash")
ASK = """
source "$HOME/.bashrc"
COMP_WORDS=({words}) COMP_CWORD={last}
$(complete -p genreid | sed 's/.*-F \\([^ ]*\\).*/\\1/') genreid
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
"""Loads what was installed, and asks as the shell does when Tab is pressed."""

pytestmark = pytest.mark.skipif(BASH is None, reason="no bash here")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder in which completion was installed."""
    folder = tmp_path_factory.mktemp("home")
    done = run(folder, "genreid", "--install-completion", "bash")
    assert "bash completion installed" in done
    return folder


def run(home: Path, *command: str) -> str:
    environment = os.environ | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        # the shell is named here, and not the one that runs the tests
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout


def completed(home: Path, *words: str) -> set[str]:
    quoted = " ".join(f"'{word}'" for word in words)
    return set(run(home, str(BASH), "-c", ASK.format(words=quoted, last=len(words) - 1)).split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("genreid", "overrides", "photo"),
            {"photographs", "photographs_gpu", "photographs_market1501", "photographs_msmt17"},
        ),
        (
            ("genreid", "init", "--recipe", "photo"),
            {"photographs", "photographs_gpu", "photographs_market1501", "photographs_msmt17"},
        ),
        (("genreid", "set", "train_joint.epo"), {"train_joint.epochs"}),
        (("genreid", "set", "train_joint.contrast.views", "w"), {"warped"}),
        (("genreid", "study", "run", "identities_1"), {"identities_100"}),
        (("genreid", "models", "get", "mobile"), {"mobilenetv2"}),
        (("genreid", "pre"), {"prepare-data", "pretrain-encoder", "pretrain-generator"}),
    ],
)
def test_names_that_a_command_takes(home: Path, words: tuple[str, ...], expected: set[str]) -> None:
    assert completed(home, *words) == expected


def test_every_stage_is_among_the_commands(home: Path) -> None:
    assert {stage.__name__.replace("_", "-") for stage in STAGES} <= completed(home, "genreid", "")
