"""A wrong params.yaml ends every stage in one line with exit code 2, before torch is imported."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stages.cli import STAGES
from stages.shared.sections import stage_settings
from tests.stages.small_project import ROOT, SmallProject, lines_of

COMMANDS = """
import contextlib, io, json, sys
from pathlib import Path

from stages.cli import main

told = []
for stage, text in json.load(sys.stdin):
    Path("params.yaml").write_bytes(text.encode("latin-1"))
    sys.argv = ["genreid", stage]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
        try:
            main()
        except SystemExit as ended:
            told.append([ended.code, out.getvalue(), err.getvalue()])
            raise
        told.append([0, out.getvalue(), err.getvalue()])
heavy = [name for name in ("torch", "torchvision", "timm", "faiss", "numba", "cv2") if name in sys.modules]
json.dump([told, heavy], sys.stdout)
"""
"""Many commands in one process, which tells at its end what they have imported between them."""

KEYS = [
    key for key in lines_of((ROOT / "params.yaml").read_text()) if key.partition(".")[0] in stage_settings()
]
NAMES = [stage.__name__.replace("_", "-") for stage in STAGES]


def run_all(folder: Path, cases: list[tuple[str, str]]) -> tuple[list[tuple[int, str, str]], list[str]]:
    """How each command ended in the project at `folder`, and which heavy packages they brought."""
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told, heavy = json.loads(done.stdout)
    return [(code, out, err) for code, out, err in told], heavy


Edit = Callable[[list[str], int], None]
"""A change of params.yaml's lines at the number of one of them, which holds a key."""


def written(value: str) -> Edit:
    def edit(lines: list[str], at: int) -> None:
        lines[at] = f"{lines[at].partition(':')[0]}: {value}"

    return edit


def renamed(lines: list[str], at: int) -> None:
    lines[at] = lines[at].replace(":", "_x:", 1)


def repeated(lines: list[str], at: int) -> None:
    lines.insert(at, lines[at])


def nested(lines: list[str], at: int) -> None:
    name = lines[at].partition(":")[0]
    lines[at] = f"{name}: {{{name.strip()}: 1}}"


def misencoded(lines: list[str], at: int) -> None:
    lines[at] += " # \xff"


EDITS: list[Edit] = [
    *map(
        written,
        ("{a: 1}", "-3.5e9", "[[[]]]", ".nan", ".inf", "1e400", "9" * 400, "!!python/name:os.system x"),
    ),
    renamed,
    repeated,
    nested,
    misencoded,
]
"""None of them leaves what any key may hold."""


def spoiled(text: str, key: str, edit: Edit) -> str:
    lines = text.encode().decode("latin-1").split("\n")
    edit(lines, lines_of(text)[key] - 1)
    return "\n".join(lines)


def drawn(text: str, number: int) -> Iterator[tuple[str, str]]:
    """Stages and their spoiled params: leaves of params.yaml, each stage and each kind of damage in turn."""
    chance = random.Random(16)
    leaves = [key for key in KEYS if not any(other.startswith(f"{key}.") for other in KEYS)]
    for case in range(number):
        stage = NAMES[case % len(NAMES)]
        own = [key for key in leaves if key.partition(".")[0] == stage.replace("-", "_")]
        yield stage, spoiled(text, chance.choice(own), EDITS[case // len(NAMES) % len(EDITS)])


def test_every_stage_refuses_every_kind_of_wrong_setting_without_torch(small: SmallProject) -> None:
    cases = list(drawn((small.folder / "params.yaml").read_text(), len(NAMES) * len(EDITS)))
    told, heavy = run_all(small.folder, cases)
    assert heavy == []
    for (stage, _), (code, out, err) in zip(cases, told, strict=True):
        assert code == 2 and out == "", (stage, out, err)
        assert err.startswith("error: params.yaml") and err.count("\n") == 1, (stage, err)


def test_the_graphs_first_stage_refuses_what_any_later_one_would(small: SmallProject) -> None:
    text = (small.folder / "params.yaml").read_text()
    keys = ("prepare_data.height_px", "mesh_extract.images_per_shard", "train_joint.lr", "paths.views")
    cases = [("fingerprint-code", spoiled(text, key, written("-3.5e9"))) for key in keys]
    told, heavy = run_all(small.folder, cases)
    assert heavy == []
    for key, (code, out, err) in zip(keys, told, strict=True):
        assert code == 2 and out == "" and f": {key}" in err and err.count("\n") == 1
    assert sorted(path.name for path in small.folder.iterdir()) == ["dvc.yaml", "params.yaml"]


@pytest.mark.parametrize(
    "command", ["train-joint", "report", "embed", "search", "group", "generate", "export"]
)
def test_a_wrong_path_is_told_without_torch(small: SmallProject, command: str) -> None:
    """By the program as it is started, whose imports Python writes down itself."""
    small.set(paths__views=3)
    arguments = {"embed": ["."], "group": ["."], "search": ["x.png"], "generate": ["x.png"]}.get(command, [])
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stages.entry", command, *arguments],
        capture_output=True,
        text=True,
        cwd=small.folder,
        timeout=60,
    )
    lines = done.stderr.splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    said = [line for line in lines if not line.startswith("import time:")]
    assert done.returncode == 2 and "typer" in imported
    assert (
        len(said) == 1
        and said[0].startswith("error: params.yaml:")
        and "paths.views: expected a word" in said[0]
    )
    assert not imported & {"torch", "torchvision", "timm"}
