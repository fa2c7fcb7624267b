"""The embeddings of a folder, made by the workers of a cluster.

B images of a piece, which go through the network at once, as on one machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch

from genreid.body.body import load_body
from genreid.data.settings import WayName
from genreid.deployment.gallery import embed_folder
from genreid.deployment.gallery_table import GalleryInfo
from genreid.deployment.looking import Looker, Turner
from genreid.deployment.patterns import Told
from genreid.models.encoder import IdentityEncoder
from genreid.models.imported.encoder import ImportedEncoder
from genreid.render.backend import choose_renderer
from genreid.render.settings import BackendName
from genreid.warping.warper import Warper
from stages.shared.engine import open_workers
from stages.shared.estimation import EstimatorParts
from stages.shared.run import Project
from stages.shared.workers import in_order
from stages.using.bodies import turner_parts
from stages.using.checkpoint import Checkpoint


@dataclass(frozen=True)
class LookerParts:
    """What a `Looker` is made of, on whichever machine. estimator: for the way `turned`, else None."""

    encoder: IdentityEncoder | ImportedEncoder
    way: WayName
    size_px: tuple[int, int]
    device: str
    estimator: EstimatorParts | None
    backend: BackendName

    def build(self) -> Looker:
        device, turner = torch.device(self.device), None
        if self.estimator is not None:
            body = load_body(self.estimator.body)
            warper = Warper(body, choose_renderer(self.backend, device))
            turner = Turner(self.estimator.build(body), warper)
        return Looker(self.encoder.to(device), self.way, self.size_px, device, turner)


def embed_by_workers(
    project: Project,
    chosen: Checkpoint,
    names: Sequence[str],
    info: GalleryInfo,
    told: Told,
    batch_size: int,
) -> Iterator[pa.Table]:
    """As `embed_folder`."""
    turned = info.views == "turned"
    parts = LookerParts(
        chosen.encoder().to("cpu"),
        info.views,
        chosen.prepared.size_px,
        str(project.device),
        turner_parts(project) if turned else None,
        project.params.value("render_views.backend"),
    )
    batches = [names[start : start + batch_size] for start in range(0, len(names), batch_size)]
    with open_workers(project, _start_worker, parts, info, told, sees=[Path(info.folder)]) as workers:
        yield from in_order(lambda batch: workers.call(_embed, batch), batches, workers.num_calls)


# What follows runs in the workers.

_ways: tuple[Looker, GalleryInfo, Told] | None = None


def _start_worker(parts: LookerParts, info: GalleryInfo, told: Told) -> None:
    global _ways
    _ways = parts.build(), info, told


def _embed(names: Sequence[str]) -> pa.Table:
    assert _ways is not None, "_start_worker ran first"
    (table,) = embed_folder(_ways[0], names, *_ways[1:], batch_size=len(names), num_threads=1)
    return table
