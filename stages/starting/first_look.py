"""The first look at a folder of crops, told: what it found, what it sets and why, what a run will take."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.params import load_params, section
from pipeline.recipes import load_overrides, write_overrides
from pipeline.tracking import Bars
from stages.doctor.configuration import Configuration
from stages.shared.expected import duration
from stages.shared.options import num_cores
from stages.shared.paths import Paths
from stages.shared.run import Options, Project, choose_device
from stages.starting.crops import Crops, findings, look_at
from stages.starting.expected import expected_times, room
from stages.starting.proposal import Proposed, dataset_path, propose, recipe_for

_WIDTH = 54
"""Of a setting and its value, before the reason."""


@dataclass(frozen=True)
class FirstLook:
    """Of the project that is, or will be, in `folder`.

    files: its templates. is_there: it has a params.yaml of its own, which is read in place of the template's.
    """

    folder: Path
    files: Mapping[str, bytes]
    is_there: bool
    device: str
    workers: int
    progress: bool

    def tell(self, crops: Path, recipe: str | None, pattern: str | None) -> list[Proposed]:
        """Print all of it; what is to be set."""
        console = Console(highlight=False)
        dataset = dataset_path(crops, self.folder)
        found = look_at(crops, pattern, Bars(show=self.progress), self.workers or num_cores())
        _print(console, f"What {crops} holds", ("what", "found"), list(findings(found)))
        chosen, why = recipe_for(choose_device(self.device).type)
        if recipe is not None:
            chosen, why = recipe, "as --recipe says"
        with tempfile.TemporaryDirectory() as place:
            root = self._lay_out(Path(place))
            params = load_params(root / "params.yaml")
            values = load_overrides(params, root / "recipes", chosen)
            defaults = {key: params.value(key) for key in params.lines}
            proposed = propose(found, chosen, values, defaults, dataset)
            console.print(f"What is set, by the recipe {chosen} ({why}):", markup=False, soft_wrap=True)
            for one in proposed:
                line = f"  {f'{one.key}: {one.value}':{_WIDTH}} {one.why}"
                console.print(line, markup=False, soft_wrap=True)
            write_overrides(root / "params.yaml", {one.key: one.value for one in proposed})
            self._tell_expected(console, found, root)
        return proposed

    def _lay_out(self, place: Path) -> Path:
        """A folder with params and recipes: the project's own, where it is there."""
        for name, content in self.files.items():
            own = self.folder / name
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(own.read_bytes() if self.is_there and own.is_file() else content)
        return place

    def _tell_expected(self, console: Console, crops: Crops, root: Path) -> None:
        params, options = load_params(root / "params.yaml"), Options(device=self.device, workers=self.workers)
        project = Project(root, params, options, section(params, "paths", Paths))
        configuration = Configuration(project)
        configuration.num_images, configuration.native_px = crops.num_images, crops.median_px()
        with console.status("timing what a run does"):
            times = list(expected_times(crops, configuration))
        rows = [
            (one.stage, "?" if one.seconds is None else f"about {duration(one.seconds)}", one.why)
            for one in times
        ]
        total = sum(one.seconds or 0 for one in times)
        rows.append(("all of it", f"about {duration(total)}", "no promise; every long stage says it again"))
        _print(console, "What a run will take here", ("stage", "time", "why"), rows)
        for name, line, is_enough in room(configuration, self.folder):
            console.print(
                f"{name}: {line}{'' if is_enough else ' (not enough)'}", markup=False, soft_wrap=True
            )


def _print(console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(title=escape(title), title_justify="left")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    console.print(table)
