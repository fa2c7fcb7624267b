"""Encoders from elsewhere: one in place of the warm-up, or weights that the warm-up starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from genreid.models.checkpoint import encoder_checkpoint
from genreid.models.encoder import IdentityEncoder
from genreid.models.imported.resnet import import_encoder
from genreid.models.package_weights import PACKAGED
from genreid.models.settings import EncoderSettings, ImportSettings
from genreid.preprocessing import Preprocessing
from genreid.zoo.table import model_file
from pipeline.artifacts import hash_path, write_torch
from pipeline.errors import PipelineError
from stages.shared.paths import project_path
from stages.shared.run import StageRun


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


def weights_file(root: Path, settings: EncoderSettings) -> Path | None:
    """The file of weights that `encoder.pretrained` names, there or not; None where it names none."""
    return None if settings.pretrained_file is None else project_path(root, settings.pretrained_file)


def hold_start(run: StageRun, encoder: IdentityEncoder) -> dict[str, str]:
    """What the new encoder starts from, `auto` resolved, and the hash of its file: said, and for the summary.

    Raises PipelineError where an interrupted run began with another.
    """
    start = encoder.settings.pretrained
    facts = {"starts from": "random weights" if start == "none" else start}
    if start in PACKAGED:
        facts["sha256"] = model_file(start).sha256
    elif encoder.settings.pretrained_file is not None:
        facts["sha256"] = hash_path(project_path(run.root, start))
    if run.state.keep("start", lambda: facts) != facts:
        raise PipelineError(
            f"encoder.pretrained comes to {start}, and {run.stage} began with another start before it was "
            f"interrupted: start again with `genreid {run.stage} --fresh`"
        )
    run.tracker.say(f"the encoder starts from {facts['starts from']}")
    return facts
