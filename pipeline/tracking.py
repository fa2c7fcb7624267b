"""Progress bars and training curves behind one small interface.

`Tracker` shows loops as `genreid.progress.Progress` asks and takes the report of every epoch: a line for
the reader, and DVCLive's files for `dvc plots`. The reports so far travel with the stage's snapshots, and
DVCLive's folder is written anew from them when a run goes on: a killed run's curves have neither gaps nor
rows twice.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from rich.console import Console

from pipeline.artifacts import atomic_directory
from pipeline.pictures import png

if TYPE_CHECKING:
    import numpy as np
    from dvclive import Live
    from rich.progress import Progress

T = TypeVar("T")
_SECONDS_BETWEEN_LINES = 15.0


class EpochReport(Protocol):
    """What an epoch has to tell (`genreid.progress.Report`).

    epoch: from 0 on (shown and logged from 1 on). figures: name, such as `loss/image`, to value. pictures:
    name to uint8 RGB (H, W, 3).
    """

    @property
    def epoch(self) -> int: ...
    @property
    def num_epochs(self) -> int: ...
    @property
    def figures(self) -> Mapping[str, float]: ...
    @property
    def pictures(self) -> Mapping[str, np.ndarray]: ...


class Bars:
    """Progress of loops on stderr: bars on a terminal, a line now and then elsewhere, or nothing."""

    def __init__(self, *, show: bool = True, console: Console | None = None) -> None:
        # Where there is no terminal colours may be asked for (FORCE_COLOR, as a notebook sets it); a bar
        # would write a line for every step there.
        forced = None if sys.stderr.isatty() else False
        self.console = console or Console(stderr=True, highlight=False, force_terminal=forced)
        self._show = show
        self._display: Progress | None = None

    def track(
        self,
        items: Iterable[T],
        description: str,
        total: int | None = None,
        size: Callable[[T], int] = lambda item: 1,
    ) -> Iterator[T]:
        """Yield `items` and show how many of `total` are done, at what rate, and the time left.

        size: what an item counts, where items are batches of what `total` counts.
        """
        if total is None and isinstance(items, Sized):
            total = len(items)
        if not self._show:
            yield from items
        elif self.console.is_terminal:
            yield from self._bar(items, description, total, size)
        else:
            yield from self._lines(items, description, total, size)

    def say(self, line: str) -> None:
        """One line for the reader, above the bars."""
        if self._show:
            self.console.print(line, markup=False, soft_wrap=True)

    def _bar(
        self, items: Iterable[T], description: str, total: int | None, size: Callable[[T], int]
    ) -> Iterator[T]:
        if self._display is None:
            self._display = _display(self.console)
            self._display.start()
        display = self._display
        task = display.add_task(description, total=total, rate="")
        started, done = time.monotonic(), 0
        try:
            for item in items:
                yield item
                done += size(item)
                display.update(task, completed=done, rate=rate(done / (time.monotonic() - started)))
        finally:
            display.remove_task(task)
            if not display.task_ids:
                display.stop()
                self._display = None

    def _lines(
        self, items: Iterable[T], description: str, total: int | None, size: Callable[[T], int]
    ) -> Iterator[T]:
        started = last = time.monotonic()
        done = 0
        for item in items:
            yield item
            done += size(item)
            now = time.monotonic()
            if now - last >= _SECONDS_BETWEEN_LINES:
                self.say(progress_line(description, done, total, now - started))
                last = now


def _display(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def rate(items_per_second: float) -> str:
    """`312/s`, or `4.1 s each` where one takes longer than a second."""
    return f"{items_per_second:.3g}/s" if items_per_second >= 1 else f"{1 / items_per_second:.1f} s each"


def progress_line(description: str, done: int, total: int | None, seconds: float) -> str:
    """`embedding 1024/4096, 310/s, 10 s left`."""
    speed = done / max(seconds, 1e-9)
    if total is None:
        return f"{description} {done}, {rate(speed)}"
    return f"{description} {done}/{total}, {rate(speed)}, {(total - done) / speed:.0f} s left"


class Tracker(Bars):
    """Bars, and the curves of a stage in DVCLive's layout under `folder`.

    history: the rows reported so far. The stage's state keeps it with every snapshot and fills it when a
    snapshot is restored, which must happen before the first report; the tracker appends to it.
    """

    def __init__(
        self,
        folder: Path,
        history: list[dict[str, Any]],
        *,
        show: bool = True,
        console: Console | None = None,
    ) -> None:
        super().__init__(show=show, console=console)
        self._folder = folder
        self._history = history
        self._live: Live | None = None

    def report(self, report: EpochReport) -> None:
        """Log an epoch's figures and pictures, and print its line."""
        live = self._opened()
        row = {
            "epoch": report.epoch + 1,
            "figures": {name: float(value) for name, value in report.figures.items()},
            "pictures": {name: png(picture) for name, picture in report.pictures.items()},
        }
        self._history.append(row)
        self._log(live, row)
        figures = "  ".join(f"{name} {value:.4g}" for name, value in report.figures.items())
        self.say(f"epoch {report.epoch + 1}/{report.num_epochs}  {figures}")

    @property
    def last_figures(self) -> dict[str, float]:
        """The figures of the last report."""
        return dict(self._history[-1]["figures"]) if self._history else {}

    def publish(self, path: Path) -> None:
        """Copy the curves and pictures to their place among the outs."""
        self._opened().end()
        self._live = None
        with atomic_directory(path) as temporary:
            shutil.copytree(self._folder, temporary, dirs_exist_ok=True)

    def _opened(self) -> Live:
        """DVCLive; its folder is written anew from the history by the first call."""
        if self._live is None:
            self._live = _open_live(self._folder)
            for row in self._history:
                self._log(self._live, row)
        return self._live

    def _log(self, live: Live, row: Mapping[str, Any]) -> None:
        live.step = row["epoch"]
        for name, value in row["figures"].items():
            live.log_metric(name, value)
        for name, content in row["pictures"].items():
            picture = self._folder / "plots" / "images" / name / f"{row['epoch']:04d}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(content)
        live.next_step()


def _open_live(folder: Path) -> Live:
    """DVCLive writing in `folder` and nowhere else: no dvc.yaml, no experiment, no chatter."""
    os.environ.setdefault("DVCLIVE_LOGLEVEL", "ERROR")
    from dvclive import Live

    shutil.rmtree(folder, ignore_errors=True)
    return Live(dir=str(folder), dvcyaml=None, save_dvc_exp=False, report=None, monitor_system=False)
