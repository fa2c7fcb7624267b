"""How alike images are, found out by workers: those of a cluster, or processes of this machine.

N images, D embedding width.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from genreid.clustering.settings import PseudoLabelSettings
from genreid.clustering.sharded import by_workers
from genreid.clustering.sharded.shelf import Shelf
from genreid.deployment.groups import Likeness
from pipeline.code import code_fingerprint
from pipeline.errors import PipelineError
from pipeline.resume import STATE_FOLDER, StageLock
from pipeline.tracking import Bars
from stages.shared.engine import open_workers
from stages.shared.options import Engine
from stages.shared.run import Project

_SHARED = Path(".genreid") / "shared"


def is_shared_out(project: Project, num_rows: int, settings: PseudoLabelSettings) -> bool:
    """Whether workers find it out: those of a cluster, or processes of this machine for more rows than make a
    piece. Of a million rows at once the candidates alone would take 17 GB.
    """
    return project.options.on == Engine.ray or (
        settings.method == "exact" and num_rows > by_workers.MOST_ROWS
    )


def likeness_by_workers(
    project: Project, shared: Path | None, rows: np.ndarray, settings: PseudoLabelSettings, least: float
) -> Likeness:
    """`Likeness` of rows (N, D), without the pairs whose cosine is below `least`.

    shared: a folder that every worker sees. What is made there is removed at the end; where the run was ended
    before, the next one with the same rows and settings, and as many workers, goes on with it.
    """
    folder = (shared or project.root / _SHARED).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"--shared: {folder} cannot be made ({error.strerror}): name another") from None
    on_cores = replace(project, options=replace(project.options, device="cpu"))  # one worker a core
    lock = StageLock(project.root / STATE_FOLDER / "group.lock", "group")
    try:
        with open_workers(on_cores, by_workers.begin, sees=[folder]) as workers:
            bounds = by_workers.even_bounds(len(rows), workers.num_workers)
            own = folder / f"group-{_name(rows, settings, least, bounds)}"
            shelf = Shelf.filled(own, rows, bounds)
            shown = Bars(show=project.options.progress)
            found = Likeness.by_workers(workers, shelf, settings, least, shown)
        shutil.rmtree(own)
        return found
    finally:
        lock.release()


def _name(rows: np.ndarray, settings: PseudoLabelSettings, least: float, bounds: Sequence[int]) -> str:
    """Of all that the result depends on, code included, and of how it is shared out."""
    code = code_fingerprint(by_workers.__name__)
    digest = blake2b(repr((rows.shape, settings, least, list(bounds), sorted(code.items()))).encode())
    digest.update(np.ascontiguousarray(rows).data.cast("B"))
    return digest.hexdigest()[:16]
