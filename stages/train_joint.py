"""`train-joint`: encoder and generator are trained together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.shared.options import Device, Fresh, NumRanks, ShowProgress, Workers
from stages.shared.run import Options, open_stage

if TYPE_CHECKING:
    from genreid.training.settings.joint import JointSettings


def train_joint(
    fresh: Fresh = False,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
    ranks: NumRanks = 1,
) -> None:
    """Train encoder and generator together, by rotation contrast and mixup contrast on generated views."""
    from genreid.models.checkpoint import joint_checkpoint, load_encoder, load_generator
    from genreid.training import joint
    from genreid.training.loader import Loader
    from genreid.training.networks import Networks, require_fitting
    from genreid.training.settings.joint import JointSettings
    from genreid.warping.images import Persons
    from stages.shared.agreement import agreement_with
    from stages.shared.matches import LastLabels, estimated_matches
    from stages.shared.oracle import learnt_from
    from stages.shared.pace import joint_progress
    from stages.shared.preprocessing import preparation, read_fitting_checkpoint
    from stages.shared.ranks import ranks_of
    from stages.shared.training import train_and_write, training_set
    from stages.shared.views import open_views
    from stages.shared.warped import persons_of

    options = Options(fresh, device, workers, progress, ranks=ranks)
    with open_stage("train-joint", options, JointSettings, inputs=inputs_of) as run, ranks_of(run) as several:
        settings = run.settings
        train, images = training_set(run)
        encoder = load_encoder(*read_fitting_checkpoint(run, "encoder", train.info)).to(run.device)
        generator, discriminator = load_generator(*read_fitting_checkpoint(run, "generator", train.info))
        require_fitting(settings, generator)
        views, labels = open_views(run), None
        turns = settings.warps or (settings.paints and generator.repairs)
        cuts = settings.paints or settings.pastes
        warped, mask = persons_of(run, train, images, turns=turns, cuts=cuts)
        persons: Persons | None = warped
        if told := settings.oracle != "none":
            # Half a second of imports, of all that draws the benchmark, which no other run has to wait for.
            from stages.shared.truth import true_labels, true_persons

            run.warn(f"joint training: {learnt_from(settings.oracle)}")
            if settings.wants_true_views:
                assert warped is not None  # the settings see to it
                persons = true_persons(run, train, images, views.yaws_deg, warped)
            if settings.wants_true_labels:
                labels = true_labels(run, train)
        loader = Loader(images, views, run.device, warped=persons, mask=mask)
        networks = Networks(encoder, generator.to(run.device), discriminator.to(run.device))

        kept = LastLabels(agreement_with(train))
        epochs = joint.train_joint(
            networks,
            images,
            loader,
            settings,
            device=run.device,
            checkpoints=run.state,
            progress=joint_progress(run, encoder, images, loader),
            agreement=kept,
            ranks=several,
            true_labels=labels,
        )

        def checkpoint() -> dict[str, Any]:
            # An oracle's identities are no clusters: nothing is estimated from them.
            matches = estimated_matches(run, encoder, images, kept.labels if labels is None else None)
            return joint_checkpoint(
                encoder,
                generator,
                discriminator,
                preparation(train.info),
                oracle=settings.oracle,
                matches=matches,
            )

        train_and_write(
            run,
            several,
            epochs,
            "joint",
            checkpoint,
            "Joint training",
            {
                **({"oracle": settings.oracle} if told else {}),
                "images": len(train),
                "images with a mesh": len(loader.with_mesh),
            },
        )


def inputs_of(settings: JointSettings) -> tuple[str, ...]:
    """What it reads: nothing of the truth, unless an oracle is to show true views, and of meshes nothing but
    for persons that are warped, painted by a generator that may turn out to repair, or cut out.

    dvc.yaml does not name the truth among what this stage depends on, or every run's lock would say that its
    training had it at hand. Nothing is lost: the truth is made with the images, by the same stage from the
    same params and code, and so is never another where the images are the same.
    """
    truth = ("truth",) if settings.wants_true_views else ()
    mesh = ("mesh",) if settings.warps or settings.paints or settings.pastes else ()
    return ("manifest", "images", "encoder", "generator", "views", *mesh, *truth)
