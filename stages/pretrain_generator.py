"""`pretrain-generator`: the generator learns to paint what a fixed encoder sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.shared.options import Device, Fresh, NumRanks, ShowProgress, Workers
from stages.shared.run import Options, open_stage

if TYPE_CHECKING:
    from genreid.training.settings.generator import GeneratorPretrainingSettings


def pretrain_generator(
    fresh: Fresh = False,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
    ranks: NumRanks = 1,
) -> None:
    """Train the generator to paint a person on its mesh and on its rotated mesh, by a fixed encoder."""
    from genreid.models.checkpoint import generator_checkpoint, load_encoder
    from genreid.models.initialisation import build_discriminator, build_generator
    from genreid.training import generator as pretraining
    from genreid.training.loader import Loader
    from stages.shared.expected import FirstSteps
    from stages.shared.preprocessing import preparation, read_fitting_checkpoint
    from stages.shared.ranks import ranks_of
    from stages.shared.training import train_and_write, training_set
    from stages.shared.views import open_views
    from stages.shared.warped import persons_of

    options = Options(fresh, device, workers, progress, ranks=ranks)
    settings_class = pretraining.GeneratorPretrainingSettings
    with (
        open_stage("pretrain-generator", options, settings_class, inputs=inputs_of) as run,
        ranks_of(run) as several,
    ):
        settings = run.settings
        learns = {} if settings.epochs else {"learns": "nothing, with 0 epochs"}
        train, images = training_set(run)
        turns, cuts = settings.generator.paints == "views", settings.generation.same_person > 0
        warped, mask = persons_of(run, train, images, turns=turns, cuts=cuts)
        loader = Loader(images, open_views(run), run.device, warped=warped, mask=mask)
        encoder = load_encoder(*read_fitting_checkpoint(run, "encoder", train.info)).to(run.device)
        dim, stripes = encoder.appearance_dim, encoder.settings.num_stripes
        generator = build_generator(settings.generator, dim, stripes, settings.seed).to(run.device)
        discriminator = build_discriminator(settings.discriminator, settings.seed).to(run.device)

        epochs = pretraining.pretrain_generator(
            generator,
            discriminator,
            encoder,
            images,
            loader,
            settings,
            device=run.device,
            checkpoints=run.state,
            progress=FirstSteps(run.tracker),
            ranks=several,
        )
        train_and_write(
            run,
            several,
            epochs,
            "generator",
            lambda: generator_checkpoint(generator, discriminator, preparation(train.info)),
            "Generator pretraining",
            {**learns, "images": len(train), "images with a mesh": len(loader.with_mesh)},
        )


def inputs_of(settings: GeneratorPretrainingSettings) -> tuple[str, ...]:
    """What it reads: meshes for a generator that repairs warped views, which another is not shown, and for
    the masks in them where it learns from other images of the same persons."""
    needs_meshes = settings.generator.paints == "views" or settings.generation.same_person > 0
    mesh = ("mesh",) if needs_meshes else ()
    return ("manifest", "images", "encoder", *mesh, "views")
