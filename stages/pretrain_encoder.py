"""`pretrain-encoder`: the warm-up of the identity encoder, or one that was trained elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.shared.options import Device, Fresh, NumRanks, ShowProgress, Workers
from stages.shared.run import Options, open_stage

if TYPE_CHECKING:
    from stages.shared.settings.pretrain_encoder import PretrainEncoderSettings


def pretrain_encoder(
    fresh: Fresh = False,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
    ranks: NumRanks = 1,
) -> None:
    """Train the identity encoder without labels, on clusters of its own embeddings (warm-up).

    With pretrain_encoder.import_from it takes an encoder trained by another program instead.
    """
    from genreid.models.checkpoint import encoder_checkpoint
    from genreid.models.initialisation import build_encoder
    from genreid.training import warm_up
    from stages.shared.agreement import agreement_with
    from stages.shared.data import read_manifest
    from stages.shared.imported import hold_start, weights_file, write_imported
    from stages.shared.matches import LastLabels, estimated_matches
    from stages.shared.pace import warm_up_progress
    from stages.shared.preprocessing import preparation
    from stages.shared.ranks import ranks_of
    from stages.shared.settings.pretrain_encoder import PretrainEncoderSettings
    from stages.shared.training import train_and_write, training_set

    options = Options(fresh, device, workers, progress, ranks=ranks)
    with open_stage("pretrain-encoder", options, PretrainEncoderSettings, inputs=inputs_of) as run:
        settings = run.settings
        if settings.import_from is not None:
            if run.is_first:
                write_imported(
                    run, settings.encoder, settings.import_from, preparation(read_manifest(run).info)
                )
            return
        with ranks_of(run) as several:
            train, images = training_set(run)
            encoder = build_encoder(
                settings.encoder, settings.seed, weights=weights_file(run.root, settings.encoder)
            ).to(run.device)
            start = hold_start(run, encoder)

            kept = LastLabels(agreement_with(train))
            epochs = warm_up.warm_up(
                encoder,
                images,
                settings,
                device=run.device,
                checkpoints=run.state,
                progress=warm_up_progress(run, settings, encoder, images),
                agreement=kept,
                ranks=several,
            )
            facts = {"images": len(train), **start}

            def checkpoint() -> dict[str, Any]:
                matches = estimated_matches(run, encoder, images, kept.labels)
                return encoder_checkpoint(encoder, preparation(train.info), matches=matches)

            train_and_write(run, several, epochs, "encoder", checkpoint, "Encoder warm-up", facts)


def inputs_of(settings: PretrainEncoderSettings) -> tuple[str, ...]:
    """What it reads: of an encoder that was trained elsewhere, how the pictures here are prepared."""
    return ("manifest", "images") if settings.import_from is None else ("manifest",)
