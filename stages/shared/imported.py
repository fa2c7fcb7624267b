"""An encoder trained elsewhere in place of the warm-up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from genreid.models.checkpoint import encoder_checkpoint
from genreid.models.encoder import EncoderSettings
from genreid.models.imported import ImportSettings, import_encoder
from genreid.preprocessing import Preprocessing
from genreid.training.warm_up import WarmUpSettings
from pipeline.artifacts import hash_path, write_torch
from stages.shared.run import StageRun, project_path


@dataclass(frozen=True)
class PretrainEncoderSettings(WarmUpSettings):
    """The section `pretrain_encoder`. import_from: a checkpoint of another program; null to warm up here."""

    import_from: ImportSettings | None


def write_imported(
    run: StageRun, settings: EncoderSettings, source: ImportSettings, prepared: Preprocessing
) -> None:
    """Import the encoder that `source` names (relative to the project), and report what matched.

    prepared: how its pictures will be.
    """
    path = project_path(run.root, source.path)
    encoder, report = import_encoder(settings, replace(source, path=str(path)))
    write_torch(run.path("encoder"), encoder_checkpoint(encoder, prepared))
    run.tracker.publish(run.plots)
    run.show(
        "Imported encoder",
        {
            "file": source.path,
            "sha256": hash_path(path),
            "layout": report.layout,
            "backbone": f"{settings.backbone}, stem {settings.stem}, {settings.pooling} pooling",
            "embedding width": encoder.embedding_dim,
            "tensors matched": report.num_tensors,
            "weights matched": f"{report.num_weights:,}",
            "left out": ", ".join(report.left_out) or "nothing",
        },
    )
