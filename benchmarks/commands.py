"""Seconds of the commands that should be felt as instant: `python -m benchmarks.commands`.

`genreid --help`, and a second `dvc repro`, in which nothing is left to do. For the latter the whole graph is
run once at smoke size, which takes minutes; `--repro FOLDER` names a project where that has been done.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import machine, versions

TIMES = 5


def seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor time of a command: the least of a few runs."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    found = []
    for _ in range(TIMES):
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append((wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return min(wall for wall, _ in found), min(cpu for _, cpu in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repro", type=Path, help="a project whose stages are all done")
    arguments = parser.parse_args()
    print(f"{machine()}; {versions()}")
    print("command              wall s   CPU s")
    with tempfile.TemporaryDirectory() as folder:
        _print("genreid --help", Path.cwd())
        project = arguments.repro
        if project is None:
            from tests.stages.smoke_project import SmokeProject

            smoke = SmokeProject(Path(folder) / "project")
            smoke.command("dvc", "repro").check_returncode()
            project = smoke.folder
        _print("dvc repro", project)


def _print(command: str, folder: Path) -> None:
    wall, cpu = seconds(command.split(), folder)
    print(f"{command:<20} {wall:6.2f}  {cpu:6.2f}", flush=True)


if __name__ == "__main__":
    main()
