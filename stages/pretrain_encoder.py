"""`pretrain-encoder`: the warm-up of the identity encoder, or one that was trained elsewhere."""

from __future__ import annotations

from stages.shared.options import Device, Fresh, ShowProgress, Workers
from stages.shared.run import Options, open_stage


def pretrain_encoder(
    fresh: Fresh = False, device: Device = "auto", workers: Workers = 0, progress: ShowProgress = True
) -> None:
    """Train the identity encoder without labels, on clusters of its own embeddings (warm-up).

    With pretrain_encoder.import_from it takes an encoder trained by another program instead.
    """
    from genreid.models.checkpoint import encoder_checkpoint
    from genreid.models.initialisation import build_encoder
    from genreid.training import warm_up
    from stages.shared.agreement import agreement_with
    from stages.shared.imported import PretrainEncoderSettings, hold_start, write_imported
    from stages.shared.training import train_and_write, training_set

    options = Options(fresh, device, workers, progress)
    with open_stage(
        "pretrain-encoder", options, PretrainEncoderSettings, inputs=("manifest", "images")
    ) as run:
        settings = run.settings
        if settings.import_from is not None:
            write_imported(run, settings.encoder, settings.import_from)
            return
        train, images = training_set(run)
        encoder = build_encoder(settings.encoder, settings.seed, folder=run.root).to(run.device)
        start = hold_start(run, encoder)

        epochs = warm_up.warm_up(
            encoder,
            images,
            settings,
            device=run.device,
            checkpoints=run.state,
            progress=run.tracker,
            agreement=agreement_with(train),
        )
        facts = {"images": len(train), **start}
        train_and_write(run, epochs, "encoder", lambda: encoder_checkpoint(encoder), "Encoder warm-up", facts)
