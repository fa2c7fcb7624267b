"""What damage to a file comes to: `python -m benchmarks.damage`.

One flipped bit, a stretch of zeros or an insert, drawn by a seed, in every artifact, in params.yaml and in
what the user brings. A reader looks at each damaged file in this process, and some of each kind are met by
the command that reads it. An artifact must be refused in one line, or be as before; a setting, a list or a
picture that is still one is used. It ends with exit code 1 where an artifact gave another result, or anything
a traceback or no end.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.damage_project import Kind, make_project
from benchmarks.measure import machine, versions
from genreid.errors import GenreidError
from pipeline.errors import PipelineError

OUTCOMES = ("refused", "unchanged", "other result", "traceback")
_LONGEST_S = 300


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """With one bit flipped, up to 64 bytes zeroed, or up to 16 bytes inserted, anywhere."""
    place, harm = int(rng.integers(len(content))), int(rng.integers(3))
    if harm == 0:
        return content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1 :]
    if harm == 1:
        num = min(int(rng.integers(1, 65)), len(content) - place)
        return content[:place] + bytes(num) + content[place + num :]
    return content[:place] + rng.bytes(int(rng.integers(1, 17))) + content[place:]


def met_by_reader(kind: Kind, whole: Any) -> str:
    """What the reader makes of the file as it is now. whole: what it made of the whole one."""
    try:
        found = kind.read(kind.path)
    except (GenreidError, PipelineError) as error:
        return "refused" if "\n" not in str(error) else "traceback"
    except Exception as error:
        print(f"{kind.name}: {type(error).__name__}: {error}", file=sys.stderr)
        return "traceback"
    return "unchanged" if pickle.dumps(found) == pickle.dumps(whole) else "other result"


def met_by_command(kind: Kind, folder: Path) -> str:
    """What the command that needs the file makes of it: an exit code of 0 is another result."""
    command = [sys.executable, "-c", "from stages.cli import main; main()", *kind.command]
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "GENREID_DEVICE": "cpu",
        "COLUMNS": "200",
    }
    try:
        done = subprocess.run(
            command,
            cwd=kind.project or folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        print(f"{kind.name}: no end within {_LONGEST_S} s", file=sys.stderr)
        return "traceback"
    if done.returncode == 0:
        return "other result"
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    if done.returncode == 2 and len(lines) == 1 and "Traceback" not in done.stderr:
        return "refused"
    print(f"{kind.name}: exit code {done.returncode}: {done.stderr[-300:]}", file=sys.stderr)
    return "traceback"


def campaign(
    kinds: list[Kind], folder: Path, tries: int, commands: int, seed: int, only: Collection[str] = ()
) -> dict[str, Counter[str]]:
    """Outcomes by kind, of `tries` in all, the first `commands` of each kind that change anything by its
    command too.

    only: names of kinds, none for all; what is drawn for a kind does not depend on it.
    """
    table: dict[str, Counter[str]] = {}
    for number, kind in enumerate(kinds):
        if only and kind.name not in only:
            continue
        rng, content = np.random.default_rng([seed, number]), kind.path.read_bytes()
        whole = kind.read(kind.path)
        outcomes = table.setdefault(kind.name, Counter())
        left = commands if kind.command else 0
        for _ in range(tries * (number + 1) // len(kinds) - tries * number // len(kinds)):
            harmed = damaged(content, rng)
            kind.path.write_bytes(harmed)
            outcome = met_by_reader(kind, whole)
            outcomes["unchanged" if harmed == content else outcome] += 1
            if left and outcome != "unchanged":
                left -= 1
                by_command = met_by_command(kind, folder)
                outcomes[f"{by_command} by command"] += 1
        kind.path.write_bytes(content)
        print(f"{kind.name}: {dict(outcomes)}", file=sys.stderr, flush=True)
    return table


def failures(kinds: list[Kind], table: dict[str, Counter[str]]) -> list[str]:
    """The kinds that did what none may."""
    found = []
    for kind in kinds:
        outcomes = table.get(kind.name, Counter[str]())
        bad = ["traceback", "traceback by command"]
        bad += ["other result", "other result by command"] if kind.ours else []
        found += [f"{kind.name}: {outcomes[one]} × {one}" for one in bad if outcomes[one]]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tries", type=int, default=1000, help="of all kinds together (1000)")
    parser.add_argument("--commands", type=int, default=10, help="of each kind by its command (10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[], metavar="KIND", help="of all kinds, these alone")
    arguments = parser.parse_args()
    print(f"{machine()}; {versions()}; seed {arguments.seed}", flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        kinds = make_project(folder)
        table = campaign(kinds, folder, arguments.tries, arguments.commands, arguments.seed, arguments.only)
    print(f"{'kind':<16} tries  {'  '.join(OUTCOMES)}   by command: {'  '.join(OUTCOMES)}")
    for kind in kinds:
        if kind.name not in table:
            continue
        row = table[kind.name]
        own = "  ".join(f"{row[one]:>{len(one)}}" for one in OUTCOMES)
        real = "  ".join(f"{row[f'{one} by command']:>{len(one)}}" for one in OUTCOMES)
        print(f"{kind.name:<16} {sum(row[one] for one in OUTCOMES):>5}  {own}               {real}")
    print(f"{time.monotonic() - begin:.0f} s")
    if failed := failures(kinds, table):
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
