"""`prepare-data`: the manifest that all later stages read; for the synthetic benchmark its images too."""

from __future__ import annotations

from stages.shared.options import Engine, Fresh, On, ShowProgress, Workers
from stages.shared.run import Options, open_stage


def prepare_data(
    fresh: Fresh = False, workers: Workers = 0, on: On = Engine.local, progress: ShowProgress = True
) -> None:
    """Make the manifest of the data set; the synthetic benchmark is drawn as well."""
    from pipeline.artifacts import write_table
    from stages.shared.dataset import prepare_dataset
    from stages.shared.settings.prepare_data import PrepareDataSettings

    options = Options(fresh, "cpu", workers, progress, on=on)
    with open_stage("prepare-data", options, PrepareDataSettings, params=("paths.dataset",)) as run:
        manifest = prepare_dataset(run)
        write_table(run.path("manifest"), manifest.to_table())
        run.show_table("Images", *manifest.overview())
