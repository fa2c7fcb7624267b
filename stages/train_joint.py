"""`train-joint`: encoder and generator are trained together."""

from __future__ import annotations

from stages.shared.options import Device, Fresh, ShowProgress, Workers
from stages.shared.run import Options, open_stage


def train_joint(
    fresh: Fresh = False, device: Device = "auto", workers: Workers = 0, progress: ShowProgress = True
) -> None:
    """Train encoder and generator together, by rotation contrast and mixup contrast on generated views."""
    from genreid.models.checkpoint import joint_checkpoint, load_encoder, load_generator
    from genreid.render.views import ViewStore
    from genreid.training import joint
    from genreid.training.loader import Loader
    from genreid.training.settings import JointSettings, Networks
    from stages.shared.agreement import agreement_with
    from stages.shared.data import read_checkpoint
    from stages.shared.training import train_and_write, training_set
    from stages.shared.warped import warped_images

    options = Options(fresh, device, workers, progress)
    inputs = ("manifest", "images", "encoder", "generator", "mesh", "views")
    with open_stage("train-joint", options, JointSettings, inputs=inputs) as run:
        settings = run.settings
        train, images = training_set(run)
        encoder = load_encoder(*read_checkpoint(run, "encoder")).to(run.device)
        generator, discriminator = load_generator(*read_checkpoint(run, "generator"))
        warped = warped_images(run, train, images) if settings.warps else None
        loader = Loader(images, ViewStore(run.parts("views")), run.device, warped=warped)
        networks = Networks(encoder, generator.to(run.device), discriminator.to(run.device))

        epochs = joint.train_joint(
            networks,
            images,
            loader,
            settings,
            device=run.device,
            checkpoints=run.state,
            progress=run.tracker,
            agreement=agreement_with(train),
        )
        train_and_write(
            run,
            epochs,
            "joint",
            lambda: joint_checkpoint(encoder, generator, discriminator),
            "Joint training",
            {"images": len(train), "images with a mesh": len(loader.with_mesh)},
        )
