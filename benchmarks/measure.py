"""Time and memory of one piece of work, each in a process of its own; and rows of a table of them."""

from __future__ import annotations

import argparse
import csv
import ctypes
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processors import Processor, limits

ROWS = Path("docs/performance.csv")
PACKAGES = ("torch", "numpy", "numba", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Cost:
    """wall_s, cpu_s: seconds, the latter over all threads. memory_mb: peak above what was held before."""

    wall_s: float
    cpu_s: float
    memory_mb: float


@dataclass(frozen=True)
class Row:
    """One line of the table. Ours and the alternative's cost; NaN where there is no alternative or no figure.

    benchmark and setting name it; alternative says what the field's side is; agreement holds both results
    together, in words; note says what was extrapolated. where: machine and versions.
    """

    benchmark: str
    setting: str
    size: int
    ours_s: float
    ours_cpu_s: float
    ours_mb: float
    field_s: float
    field_cpu_s: float
    field_mb: float
    alternative: str
    agreement: str
    note: str
    date: str
    case: str
    where: str

    @property
    def ratio(self) -> float:
        return self.field_s / self.ours_s

    @property
    def cpu_ratio(self) -> float:
        return self.field_cpu_s / self.ours_cpu_s

    @property
    def key(self) -> tuple[str, str]:
        return self.benchmark, self.setting


def measured(work: Callable[[], Any]) -> tuple[Any, Cost]:
    """The result of `work` and what it cost."""
    held = _reset_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    cost = Cost(time.perf_counter() - wall, time.process_time() - cpu, (_memory_kb("VmHWM") - held) / 1024)
    return result, cost


def _reset_peak() -> int:
    """Give back what is free, forget the highest memory so far (Linux, glibc); returns what is held, kB."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _memory_kb("VmRSS")


def _memory_kb(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


def available_gb() -> float:
    """Memory that a process could still take."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024**2
    raise KeyError("MemAvailable")


def side(
    module: str, name: str, *, processor: Processor = "own", **options: Any
) -> tuple[Cost, dict[str, Any], dict[str, np.ndarray]]:
    """Run one side of a benchmark in a process of its own: its cost, figures and arrays."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "arrays.npz"
        command = [sys.executable, "-m", f"benchmarks.{module}", "--side", name, "--output", str(output)]
        command += [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        environment = os.environ | limits(processor)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        figures = json.loads(done.stdout.splitlines()[-1])
        arrays = dict(np.load(output)) if output.exists() else {}
    return Cost(**figures.pop("cost")), figures, arrays


def finish_side(
    arguments: argparse.Namespace, cost: Cost, figures: dict[str, Any], **arrays: np.ndarray
) -> None:
    """The end of such a process."""
    if arguments.output:
        np.savez(arguments.output, allow_pickle=False, **arrays)
    print(json.dumps({"cost": asdict(cost), **figures}))


def row(
    benchmark: str,
    setting: str,
    size: int,
    ours: Cost,
    field: Cost | None,
    *,
    alternative: str = "",
    agreement: str = "",
    note: str = "",
    processor: Processor = "own",
) -> Row:
    missing = float("nan")
    return Row(
        benchmark,
        setting,
        size,
        ours.wall_s,
        ours.cpu_s,
        ours.memory_mb,
        field.wall_s if field else missing,
        field.cpu_s if field else missing,
        field.memory_mb if field else missing,
        alternative,
        agreement,
        note,
        datetime.now(UTC).date().isoformat(),
        case="",
        where=f"{machine(processor)}; {versions()}",
    )


_UNITS = {
    "amx_bf16": "AMX",
    "avx512_bf16": "AVX-512 and bfloat16",
    "avx512f": "AVX-512",
    "avx2": "AVX2 alone",
}
_ONLY_AVX2 = f" with {_UNITS['avx2']}"


def machine(processor: Processor = "own") -> str:
    """Processor and what it is limited to, cores, memory."""
    name, fast = platform.machine(), ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
        if line.startswith("flags"):
            flags = set(line.split())
            fast = next((f" with {text}" for flag, text in _UNITS.items() if flag in flags), "")
    if processor == "avx2" and fast != _ONLY_AVX2:
        fast = " limited to AVX2"
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{name}{fast}, {os.cpu_count()} cores, {memory_gb:.0f} GB"


def versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()}, {packages}"


def read_rows(path: Path = ROWS) -> list[Row]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [_parse(line) for line in csv.DictReader(file)]


def _parse(line: dict[str, str]) -> Row:
    kinds = {"str": str, "int": int, "float": float}
    return Row(**{field.name: kinds[str(field.type)](line[field.name]) for field in fields(Row)})


def keep_row(new: Row, case: str, path: Path = ROWS) -> None:
    """Write the row of a case down, in the place of an earlier one: an interrupted run loses nothing."""
    new = replace(new, case=case)
    rows = [old for old in read_rows(path) if old.key != new.key] + [new]
    rows.sort(key=lambda row: (row.benchmark, row.size, row.setting))
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in asdict(row).items()})
    os.replace(partial, path)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| benchmark | setting | ours | field | ratio "
        "| our CPU | its CPU | CPU ratio | our memory | its memory | agreement |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        agreement = ". ".join(part for part in (row.agreement, row.note) if part)
        lines.append(
            f"| {row.benchmark} | {row.setting} | {_seconds(row.ours_s)} | {_seconds(row.field_s)} | "
            f"{_times(row.ratio)} | "
            f"{_seconds(row.ours_cpu_s)} | {_seconds(row.field_cpu_s)} | {_times(row.cpu_ratio)} | "
            f"{_memory(row.ours_mb)} | {_memory(row.field_mb)} | {agreement} |"
        )
    return "\n".join(lines)


def _times(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1f}×"


def _seconds(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def _memory(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0f} MB" if value < 1000 else f"{value / 1000:.1f} GB"


def side_arguments(description: str) -> argparse.ArgumentParser:
    """What every benchmark's command understands."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    return parser
