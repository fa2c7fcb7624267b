"""`prepare-data`: the manifest that all later stages read; for the synthetic benchmark its images too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from stages._options import Fresh, ShowProgress, Workers
from stages._run import Options, StageRun, open_stage

if TYPE_CHECKING:
    from genreid.data.datasets.folder import FolderSettings
    from genreid.data.manifest import Manifest
    from genreid.synthetic import SyntheticSettings

DatasetName = Literal[
    "synthetic", "market1501", "dukemtmc", "msmt17", "cuhk03_labelled", "cuhk03_detected", "folder"
]


@dataclass(frozen=True)
class PrepareDataSettings:
    """dataset: where the images come from. body: the body model of the meshes, `open` or a file.

    height_px, width_px: the size that training resizes to. val_identities: how many training identities of a
    labelled data set become the validation pair. synthetic: see `genreid.synthetic`; folder: see
    `genreid.data.datasets.folder`.
    """

    seed: int
    dataset: DatasetName
    body: str
    height_px: int
    width_px: int
    val_identities: int
    folder: Mapping[str, Any]
    synthetic: Mapping[str, Any]


def prepare_data(fresh: Fresh = False, workers: Workers = 0, progress: ShowProgress = True) -> None:
    """Make the manifest of the data set; the synthetic benchmark is drawn as well."""
    options = Options(fresh, "cpu", workers, progress)
    with open_stage("prepare-data", options, params=("paths.dataset",)) as run:
        from genreid.data.datasets.folder import FolderSettings
        from genreid.synthetic import SyntheticSettings
        from pipeline.artifacts import write_table

        settings = run.settings(PrepareDataSettings)
        # Both are read whatever the data set, so that a mistake in either is told.
        folder = run.settings(FolderSettings, "folder")
        synthetic = run.settings(SyntheticSettings, "synthetic")
        if settings.dataset == "synthetic":
            manifest = _make_synthetic(run, settings, synthetic)
        else:
            manifest = _read_external(run, settings, folder)
        write_table(run.path("manifest"), manifest.to_table())
        _show(run, manifest)


def _make_synthetic(run: StageRun, settings: PrepareDataSettings, synthetic: SyntheticSettings) -> Manifest:
    from genreid.data.manifest import ManifestInfo
    from stages._synthetic import write_benchmark

    info = ManifestInfo(
        dataset=settings.dataset,
        root=run.paths.images,
        height_px=settings.height_px,
        width_px=settings.width_px,
        body=settings.body,
    )
    return write_benchmark(run, synthetic, settings.seed, info)


def _read_external(run: StageRun, settings: PrepareDataSettings, folder: FolderSettings) -> Manifest:
    from genreid.data.datasets.registry import layout_named
    from stages._body import open_body
    from stages._external import External, prepare_external

    open_body(run.root, settings.body)  # a wrong file is told here rather than hours later
    external = External(
        layout=layout_named(settings.dataset, folder),
        val_identities=settings.val_identities,
        seed=settings.seed,
        height_px=settings.height_px,
        width_px=settings.width_px,
        body=settings.body,
    )
    return prepare_external(run, external)


def _show(run: StageRun, manifest: Manifest) -> None:
    run.show_table(
        "Images",
        ("split", "images", "unreadable", "identities", "cameras"),
        [
            (
                split,
                (here := manifest.split == split).sum(),
                (here & (manifest.status != "ok")).sum(),
                len({person for person in manifest.person_id[here].tolist() if person > 0}),
                len({camera for camera in manifest.camera_id[here].tolist() if camera >= 0}),
            )
            for split in sorted(set(manifest.split.tolist()))
        ],
    )
