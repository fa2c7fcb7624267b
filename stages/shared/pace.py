"""What the warm-up and joint training are expected to take, by what a few pictures take here."""

from __future__ import annotations

from typing import Any

from genreid.clustering.speed import seconds_a_pair
from genreid.data.images import ImageSet
from genreid.models.encoder import IdentityEncoder
from genreid.models.speed import Speed
from genreid.progress import Progress
from genreid.training.expected import Pace, joint_seconds, warm_up_seconds
from genreid.training.loader import Loader
from genreid.training.precision import computed_in
from genreid.training.settings.joint import JointSettings
from genreid.training.settings.warm_up import WarmUpSettings
from genreid.warping.speed import Turning
from stages.shared.expected import FirstSteps, tell
from stages.shared.run import StageRun


def warm_up_progress(
    run: StageRun[Any], settings: WarmUpSettings, encoder: IdentityEncoder, images: ImageSet
) -> Progress:
    """Shows the warm-up, and first says what a run that begins anew will take; of one that goes on its bar
    tells."""
    if not run.state.resumed:
        tell(run.tracker, warm_up_seconds(settings, len(images), _pace(run, encoder, images)))
    return run.tracker


def joint_progress(
    run: StageRun[JointSettings], encoder: IdentityEncoder, images: ImageSet, loader: Loader
) -> Progress:
    """The same of joint training; where a generator paints, its first steps tell."""
    settings = run.settings
    if settings.paints:
        return FirstSteps(run.tracker, settings.epochs if settings.cluster_on == "fresh" else 1)
    if not run.state.resumed:
        turning = Turning.of(loader.turned, loader.with_mesh) if settings.warps else None
        tell(run.tracker, joint_seconds(settings, images, loader, _pace(run, encoder, images, turning)))
    return run.tracker


def _pace(
    run: StageRun[Any], encoder: IdentityEncoder, images: ImageSet, turning: Turning | None = None
) -> Pace:
    settings, size_px = run.settings, (images.height_px, images.width_px)
    in_bfloat16 = computed_in(run.device, settings.precision) == "bfloat16"
    speed = Speed.of(encoder, size_px, run.device, bfloat16=in_bfloat16)
    return Pace(speed, seconds_a_pair(settings.clustering, encoder.embedding_dim), turning)
