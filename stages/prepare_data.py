"""`prepare-data`: the manifest that all later stages read; for the synthetic benchmark its images too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stages._options import Fresh, ShowProgress, Workers
from stages._run import Options, open_stage


@dataclass(frozen=True)
class PrepareDataSettings:
    """dataset: where the images come from. body: the body model of the meshes, `open` or a file.

    height_px, width_px: the size that training resizes to. synthetic: see `genreid.synthetic.settings`.
    """

    seed: int
    dataset: Literal["synthetic"]
    body: str
    height_px: int
    width_px: int
    synthetic: Mapping[str, Any]


def prepare_data(fresh: Fresh = False, workers: Workers = 0, progress: ShowProgress = True) -> None:
    """Make the manifest of the data set; the synthetic benchmark is drawn as well."""
    options = Options(fresh, "cpu", workers, progress)
    with open_stage("prepare-data", options) as run:
        from genreid.data.manifest import ManifestInfo
        from genreid.synthetic.settings import SyntheticSettings
        from pipeline.artifacts import write_table
        from stages._synthetic import write_benchmark

        settings = run.settings(PrepareDataSettings)
        manifest = write_benchmark(
            run,
            run.settings(SyntheticSettings, "synthetic"),
            settings.seed,
            ManifestInfo(
                dataset=settings.dataset,
                root=run.paths.images,
                height_px=settings.height_px,
                width_px=settings.width_px,
                body=settings.body,
            ),
        )
        write_table(run.path("manifest"), manifest.to_table())
        run.show_table(
            "Images",
            ("split", "images", "unreadable", "identities", "cameras"),
            [
                (
                    split,
                    (here := manifest.split == split).sum(),
                    (here & (manifest.status != "ok")).sum(),
                    len({person for person in manifest.person_id[here].tolist() if person > 0}),
                    len(set(manifest.camera_id[here].tolist())),
                )
                for split in sorted(set(manifest.split.tolist()))
            ],
        )
