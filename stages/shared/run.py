"""What all stages share: find the project, read the params, hold the state, tell the end.

    with open_stage("mesh-extract", options, MeshExtractSettings, inputs=("manifest", "images")) as run:
        settings = run.settings
        ...

On entering, the settings can be, the inputs are there, the stage's lock is held, and the state kept by an
interrupted run of the very same work is open; on leaving without an error, provenance is written and the
state is removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.artifacts import hash_path
from pipeline.code import code_fingerprint, keep_fingerprint
from pipeline.errors import PipelineError
from pipeline.graph import find_root
from pipeline.params import Params, load_params, section, shared_keys
from pipeline.provenance import write_provenance
from pipeline.resume import FollowersState, StageState
from pipeline.tracking import Tracker
from stages.shared.options import Engine, num_cores
from stages.shared.outputs import require_outputs
from stages.shared.paths import PRODUCERS, Paths
from stages.shared.rank import own_place

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """The command line of a stage or of another command; see `stages.shared.options`."""

    fresh: bool = False
    device: str = "cpu"
    workers: int = 0
    progress: bool = True
    ranks: int | None = None
    """Processes that train together; None: of a command that knows no others."""
    on: Engine = Engine.local


@dataclass
class Project:
    """The project that a command works in: its folder, its params, and where its artifacts are."""

    root: Path
    params: Params
    options: Options
    paths: Paths

    @classmethod
    def open(cls, options: Options) -> Project:
        """The project of the current folder. Raises PipelineError where there is none."""
        root = find_root(Path.cwd())
        params = load_params(root / "params.yaml")
        return cls(root, params, options, section(params, "paths", Paths))

    def path(self, key: str) -> Path:
        """Where the artifact `key` of the section `paths` is."""
        return self.root / getattr(self.paths, key)

    def parts(self, key: str) -> list[Path]:
        """The shards of the artifact `key`, sorted."""
        return sorted(self.path(key).glob("part-*.parquet"))

    def remedy(self, key: str) -> str:
        """What to do about a damaged artifact `key`."""
        return f"make it again with `dvc repro --force {PRODUCERS[key]}`"

    @property
    def workers(self) -> int:
        return self.options.workers or num_cores()

    @cached_property
    def device(self) -> torch.device:
        return choose_device(self.options.device)

    @cached_property
    def console(self) -> Console:
        return Console(highlight=False)

    def show(self, title: str, facts: Mapping[str, object]) -> None:
        """Print a summary of names and values."""
        table = Table(title=title, title_justify="left", show_header=False)
        for name, value in facts.items():
            table.add_row(name, escape(f"{value:.4g}" if isinstance(value, float) else str(value)))
        self.console.print(table)


@dataclass
class StageRun(Project, Generic[T]):
    """A stage under way.

    settings: its section of params.yaml. state: what survives a kill. tracker: progress and curves. facts:
    what the stage wants kept in its provenance.
    """

    stage: str
    settings: T
    state: StageState
    tracker: Tracker
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_first(self) -> bool:
        """Whether this process keeps the state and writes, not another rank of the same run."""
        return not isinstance(self.state, FollowersState)

    def has(self, key: str) -> bool:
        """Whether the artifact `key` is there."""
        return self.path(key).exists()

    @property
    def plots(self) -> Path:
        """The folder of this stage's curves and pictures."""
        return self.path("plots") / self.stage

    def warn(self, line: str) -> None:
        """Tell of something odd that does not stop the stage, and keep it in the provenance."""
        self.console.print(f"warning: {line}", markup=False, soft_wrap=True)
        self.facts.setdefault("warnings", []).append(line)

    def show(self, title: str, facts: Mapping[str, object]) -> None:
        """Print a summary of names and values, and keep it in the provenance."""
        super().show(title, facts)
        self.facts |= {name: _plain(value) for name, value in facts.items()}

    def show_table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table whose first column names its rows, and keep it in the provenance."""
        table = Table(title=title, title_justify="left")
        for number, name in enumerate(header):
            table.add_column(name, justify="right" if number else "left")
        for row in rows:
            table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row))
        self.console.print(table)
        self.facts[title] = {
            str(row[0]): {name: _plain(value) for name, value in zip(header[1:], row[1:], strict=True)}
            for row in rows
        }


@contextmanager
def open_stage(
    stage: str,
    options: Options,
    settings_class: type[T],
    *,
    inputs: Sequence[str] | Callable[[T], Sequence[str]] = (),
    optional: Sequence[str] = (),
    params: Sequence[str] = (),
) -> Iterator[StageRun[T]]:
    """The run of `stage`, whose section of params.yaml is a `settings_class`.

    inputs: keys of `paths` that it needs, or a function of its settings that gives them. optional: keys that
    it reads where they are there (see `StageRun.has`), and does a part of its work without. params: dotted
    keys that it depends on besides its own section and what that shares with others.
    Raises PipelineError where an input does not exist, where a param cannot be, and where an output would
    replace what no run has made.
    """
    started = time.monotonic()
    project = Project.open(options)
    root, values, paths = project.root, project.params, project.paths
    settings = section(values, section_name(stage), settings_class)
    place = None if options.ranks is None else own_place()
    if place is not None and place.rank > 0:
        state = FollowersState(root, stage)  # type: StageState
        silent = Tracker(state.folder, [], show=False)
        follower = StageRun(root, values, options, paths, stage, settings, state, silent)
        follower.console = Console(quiet=True)
        yield follower
        return
    require_outputs(root, values, stage)
    keys = inputs(settings) if callable(inputs) else inputs
    files = {key: getattr(paths, key) for key in keys}
    for key, file in files.items():
        if not (root / file).exists():
            raise PipelineError(f"{file} is missing: run `dvc repro {PRODUCERS[key]}` first")
    code = code_fingerprint(f"stages.{section_name(stage)}")
    read = (section_name(stage), *shared_keys(settings_class), *params)
    fingerprint = dict(_flat(values, read))
    fingerprint |= {file: hash_path(root / file) for file in files.values()} | code
    for file in (getattr(paths, key) for key in optional if key not in files):
        fingerprint[file] = hash_path(root / file) if (root / file).exists() else "missing"
    fingerprint |= _of_the_user(project, stage, files)
    with StageState(root, stage, fingerprint, fresh=options.fresh) as state:
        # DVC hashes this file when the stage has ended: it has to name the code that ran.
        keep_fingerprint(project.path("fingerprints") / f"{stage}.txt", code)
        tracker = Tracker(state.folder / "live", state.history, show=options.progress)
        if state.notice:
            tracker.say(state.notice)
        run = StageRun(root, values, options, paths, stage, settings, state, tracker)
        yield run
        facts = {"resumed": state.resumed, **run.facts}
        device = str(run.device) if "device" in vars(run) else "cpu"
        write_provenance(root, stage, device=device, seconds=time.monotonic() - started, facts=facts)
        state.succeed()


def _of_the_user(project: Project, stage: str, files: Mapping[str, str]) -> dict[str, str]:
    """What the state must know of the user's own files; see `stages.shared.users_files`."""
    from stages.shared.users_files import named_files, pictures_stamp

    found = dict(named_files(project.root, stage, project.params))
    if "images" in files:
        manifest, images = project.path("manifest"), project.paths.images
        found |= pictures_stamp(project.root, manifest, images, project.remedy("manifest"))
    return found


def _flat(params: Params, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every leaf at or below the dotted `keys`, as text."""
    for key in keys:
        value = params.value(key)
        if isinstance(value, dict):
            yield from _flat(params, [f"{key}.{name}" for name in value])
        else:
            yield key, repr(value)


def _plain(value: object) -> object:
    """A value that JSON has: numbers as they are, all else (NaN too) as text."""
    if isinstance(value, Integral):
        return int(value)
    return value if isinstance(value, float) and isfinite(value) else str(value)


def section_name(stage: str) -> str:
    """`mesh_extract`, the section of the stage `mesh-extract`."""
    return stage.replace("-", "_")


def choose_device(name: str) -> torch.device:
    """The torch device that `name` asks for; raises PipelineError where this machine lacks it."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise PipelineError(f"device {name}: this machine cannot use it ({reason}); try auto") from None
    return device
