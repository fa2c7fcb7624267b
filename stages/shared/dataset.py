"""What `prepare-data` is told, and the manifest of the data set that it names."""

from __future__ import annotations

from genreid.data.datasets.registry import layout_named
from genreid.data.manifest import Manifest, ManifestInfo
from stages.shared.body import open_body
from stages.shared.external import External, prepare_external
from stages.shared.run import StageRun
from stages.shared.settings.prepare_data import PrepareDataSettings
from stages.shared.synthetic import write_benchmark


def prepare_dataset(run: StageRun[PrepareDataSettings]) -> Manifest:
    """Draw the synthetic benchmark, or look over the data set at `paths.dataset`; its manifest."""
    settings = run.settings
    open_body(run.root, settings.body)  # a wrong file is told here, not by a worker, nor hours later
    if settings.dataset == "synthetic":
        root, size = run.paths.images, (settings.height_px, settings.width_px)
        info = ManifestInfo(settings.dataset, root, *size, settings.body)
        return write_benchmark(run, settings.synthetic, settings.seed, info)
    external = External(
        layout=layout_named(settings.dataset, settings.folder),
        val_identities=settings.val_identities,
        seed=settings.seed,
        height_px=settings.height_px,
        width_px=settings.width_px,
        body=settings.body,
    )
    return prepare_external(run, external)
