"""`pretrain-encoder`: the warm-up of the identity encoder."""

from __future__ import annotations

from stages._options import Device, Fresh, ShowProgress, Workers
from stages._run import Options, open_stage


def pretrain_encoder(
    fresh: Fresh = False, device: Device = "auto", workers: Workers = 0, progress: ShowProgress = True
) -> None:
    """Train the identity encoder without labels, on clusters of its own embeddings (warm-up)."""
    options = Options(fresh, device, workers, progress)
    with open_stage("pretrain-encoder", options, inputs=("manifest", "images")) as run:
        from genreid.models.checkpoint import encoder_checkpoint
        from genreid.models.initialisation import build_encoder
        from genreid.training import warm_up
        from pipeline.artifacts import write_torch
        from stages._agreement import agreement_with
        from stages._data import image_set, read_manifest

        settings = run.settings(warm_up.WarmUpSettings)
        train = read_manifest(run).select("train")
        encoder = build_encoder(settings.encoder, settings.seed).to(run.device)

        epochs = warm_up.warm_up(
            encoder,
            image_set(run, train),
            settings,
            device=run.device,
            checkpoints=run.state,
            progress=run.tracker,
            agreement=agreement_with(train),
        )
        for report in epochs:
            run.tracker.report(report)

        write_torch(run.path("encoder"), encoder_checkpoint(encoder))
        run.tracker.publish(run.plots)
        run.show("Encoder warm-up", {"images": len(train), **run.tracker.last_figures})
