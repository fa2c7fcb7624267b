"""What share of each stage's time its digests take: `python -m benchmarks.digests`.

A whole run, at the size of the recipe `smoke` or, with --whole, of the default, each stage by its command in
a process of its own. Counted is all that is spent in reading files for their digests and in writing these.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import machine, versions
from stages.cli import STAGES
from tests.stages.small_project import ROOT, smoke_params

_TIMED = """
import json, sys, time
from pipeline import artifacts, digest
told, spent = sys.argv.pop(), 0.0
def timed(check):
    def call(path):
        global spent
        begin = time.perf_counter()
        try:
            return check(path)
        finally:
            spent += time.perf_counter() - begin
    return call
artifacts.why_damaged, artifacts.seal = timed(digest.why_damaged), timed(digest.seal)
from stages.cli import main
try:
    main()
finally:
    json.dump(spent, open(told, "w"))
"""


def measured(stage: str, folder: Path) -> tuple[float, float]:
    """Seconds of the stage, and those of its digests."""
    told = folder / "spent.json"
    command = [sys.executable, "-c", _TIMED, stage, "--no-progress", str(told)]
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=_environment())
    return time.perf_counter() - begin, float(json.loads(told.read_text()))


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "GENREID_DEVICE": "cpu"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="at the default's size, an hour or so")
    whole = parser.parse_args().whole
    print(f"{machine()}; {versions()}; {'the default' if whole else 'recipe smoke'}", flush=True)
    print(f"{'stage':<20} {'s':>8} {'digests (s)':>12} {'share (%)':>10}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text() if whole else smoke_params())
        (folder / "dvc.yaml").touch()
        for stage in (stage.__name__.replace("_", "-") for stage in STAGES):
            seconds, spent = measured(stage, folder)
            print(f"{stage:<20} {seconds:>8.1f} {spent:>12.3f} {100 * spent / seconds:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
