"""`make mutants`: which faults do the tests let pass?

Two kinds of faults are made, one at a time, in copies of the project: those written by hand
(tools/mutants/swaps), each a part of the wiring left out or taken for another, and a sample drawn of those
that cosmic-ray's operators can make. Each is run against the fast tests of its room that call what was
changed, and a survivor of those against all others of the fast suite that do.

Verdicts are kept in .genreid/mutants as long as the code and the tests that they rest on stay, so a run that
was stopped goes on where it was, and after a new test only what had survived is tried again.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tools.mutants.baseline import TestsFail
from tools.mutants.campaign import OUT_OF_TIME, Campaign, Verdict
from tools.mutants.copies import Copy
from tools.mutants.generated import generated
from tools.mutants.mutant import ROOMS, ROOT, Mutant, room_of, source_files
from tools.mutants.written import OutOfDate, equivalents, swaps

T = TypeVar("T")

KEPT = ROOT / ".genreid" / "mutants"
TARGET = 0.95

Rooms = Annotated[list[str] | None, typer.Option("--room", help=f"Only these rooms: {', '.join(ROOMS)}.")]
Number = Annotated[int, typer.Option("--sample", help="How many places are drawn, over all the rooms.")]
Seed = Annotated[int, typer.Option(help="Of the draw.")]
All = Annotated[bool, typer.Option("--all", help="Every fault at every place: days, not hours.")]
Written = Annotated[bool, typer.Option("--swaps", help="Those written by hand alone.")]
Workers = Annotated[int, typer.Option(help="Copies that tests run in, one core each.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget earlier verdicts.")]
Listing = Annotated[bool, typer.Option("--list", help="Print the faults and run nothing.")]


def main(
    room: Rooms = None,
    sample: Number = 300,
    seed: Seed = 0,
    everything: All = False,
    only_swaps: Written = False,
    workers: Workers = 2,
    fresh: Fresh = False,
    listing: Listing = False,
) -> None:
    """Which faults do the tests let pass? Prints killed and surviving; ends with 1 when a fault that was
    written by hand survives the fast suite, or more than a twentieth of the sample."""
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way, no test is left running
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        rooms = set(room or ROOMS)
        if unknown := rooms - set(ROOMS):
            raise OutOfDate(f"no room {', '.join(sorted(unknown))}: expected some of {', '.join(ROOMS)}")
        reasons = equivalents()
        mutants = [swap for swap in swaps() if swap.room in rooms]
        if not only_swaps:
            files = [file for file in source_files() if room_of(file) in rooms]
            mutants += generated(files, seed=seed, number=None if everything else sample)
        if listing:
            for mutant in mutants:
                console.print(str(mutant), markup=False, highlight=False, soft_wrap=True)
            return
        if fresh:
            shutil.rmtree(KEPT, ignore_errors=True)
        verdicts = _judged(mutants, workers, console)
    except (OutOfDate, TestsFail) as error:
        console.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if _told(mutants, verdicts, reasons, console) else 1)


def _judged(mutants: list[Mutant], workers: int, console: Console) -> dict[str, Verdict]:
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [Copy(Path(folder) / str(worker) / "project") for worker in range(workers)]
        try:
            return _verdicts(mutants, Campaign(copies, KEPT), console)
        finally:
            for copy in copies:
                copy.stop()


def _verdicts(mutants: list[Mutant], campaign: Campaign, console: Console) -> dict[str, Verdict]:
    number, recording = campaign.record_tests()
    for _ in _tracked(recording, number, "test files without a fault", console):
        pass
    verdicts = campaign.known(mutants)
    missing = [mutant for mutant in mutants if mutant.key not in verdicts]
    for mutant, verdict in _tracked(campaign.judge(missing), len(missing), "faults", console):
        verdicts[mutant.key] = verdict
        if not verdict.killed_in:
            console.print(f"survives: {mutant}", markup=False, highlight=False, soft_wrap=True)
    return verdicts


def _tracked(items: Iterable[T], total: int, what: str, console: Console) -> Iterator[T]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        yield from progress.track(items, total=total)


def _told(
    mutants: list[Mutant],
    verdicts: dict[str, Verdict],
    reasons: dict[tuple[str, str, str], str],
    console: Console,
) -> bool:
    """Print the tables, and tell whether the target is met."""
    met = True
    for title, by_hand in (("Written by hand", True), ("Sample", False)):
        group = [mutant for mutant in mutants if mutant.by_hand == by_hand]
        if not group:
            continue
        console.print(_table(title, group, verdicts))
        if endless := sum(verdicts[mutant.key].by == OUT_OF_TIME for mutant in group):
            console.print(f"  {endless} of the killed ran out of time")
        survivors = [mutant for mutant in group if not verdicts[mutant.key].killed_in]
        for mutant in survivors:
            reason = reasons.get(mutant.identity)
            console.print(
                f"  {mutant}" + (f"\n      changes nothing: {reason}" if reason else ""),
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        met &= not survivors if by_hand else 1 - len(survivors) / len(group) >= TARGET
    return met


def _table(title: str, mutants: list[Mutant], verdicts: dict[str, Verdict]) -> Table:
    columns = ("room", "faults", "killed by its tests", "by the fast suite", "survive", "killed")
    table = Table(*columns, title=title)
    counts = Counter((mutant.room, verdicts[mutant.key].killed_in) for mutant in mutants)
    counts.update(("all", verdicts[mutant.key].killed_in) for mutant in mutants)
    for room in (*ROOMS, "all"):
        own, suite, none = (counts[room, where] for where in ("room", "suite", ""))
        if total := own + suite + none:
            share = f"{100 * (own + suite) / total:.1f} %"
            table.add_row(room, *(str(number) for number in (total, own, suite, none)), share)
    return table


if __name__ == "__main__":
    typer.run(main)
