"""How long training will take: what is looked at, learnt from, drawn and clustered, counted and multiplied.

No promise. Left out are optimisers, kept states, pictures of a run, and what else the machine does meanwhile;
views that are drawn in a thread while a step learns are counted as if the step waited for them, and what is
drawn once is taken to be kept.

How near that is, on photographs of CUHK03 at 128×64 with a MobileNetV2 and one thread beside other work
(2026-11-29): of 6,401 images, by the process's own time, an epoch of the warm-up 1.1 times what it took,
clustering on turned views 1.0, 60 steps of joint training 1.3; whole stages of 188 images within a factor of
1.3. N images, R pictures of each.
"""

from __future__ import annotations

from dataclasses import dataclass

from genreid.data.images import ImageSet
from genreid.models.speed import Speed
from genreid.training.features import TURNS_DEG, pictures_of
from genreid.training.loader import Loader
from genreid.training.settings.joint import JointSettings
from genreid.training.settings.warm_up import WarmUpSettings
from genreid.warping.speed import Turning

_VIEWS_OF_MIXTURE = 2
"""A mixture shows two persons."""


@dataclass(frozen=True)
class Pace:
    """Seconds that this machine takes: `encoder`, for a picture; `pair`, for two rows that are clustered;
    `turning`, for persons, where they are turned."""

    encoder: Speed
    pair: float
    turning: Turning | None = None


def warm_up_seconds(settings: WarmUpSettings, num_images: int, pace: Pace) -> float:
    """Of the whole warm-up: every epoch looks at all N images, clusters them, and learns from its batches."""
    learnt = settings.steps_per_epoch * settings.identities_per_batch * settings.images_per_identity
    clustering = num_images * pace.encoder.looking + num_images**2 * pace.pair
    return settings.epochs * (clustering + learnt * pace.encoder.learning)


def joint_seconds(settings: JointSettings, images: ImageSet, loader: Loader, pace: Pace) -> float:
    """Of joint training in which no generator paints, whose time is another. It clusters, in every epoch, R
    pictures of each image, or what the memory holds, which looks at images once; a step learns from images,
    second views and mixtures.
    """
    assert not settings.paints
    num, contrast, epochs = len(images), settings.contrast, settings.epochs
    num_pictures = len(pictures_of(settings.cluster_views, images, loader))
    num_rows = num * (num_pictures if settings.cluster_views == "turned_rows" else 1)
    looked = num * num_pictures * (epochs if settings.cluster_on == "fresh" else 1)
    if num_pictures > 1 and contrast.memory_of == "image":
        looked += num  # for the memory, the images alone
    kinds = 1 + (contrast.views != "none") + (contrast.mixup != "none")
    learnt = epochs * settings.steps_per_epoch * settings.batch_size * kinds
    clustering = looked * pace.encoder.looking + epochs * num_rows**2 * pace.pair
    return clustering + learnt * pace.encoder.learning + _drawing(settings, loader, pace.turning)


def _drawing(settings: JointSettings, loader: Loader, turning: Turning | None) -> float:
    """Seconds for what is warped: each view of a person once, to cluster or to learn from, and mixtures."""
    if turning is None:
        return 0.0
    turns = settings.cluster_views in ("turned", "turned_rows")
    num_persons, num_yaws = len(loader.with_mesh), len(loader.yaws_deg)
    drawn = settings.epochs * settings.steps_per_epoch * settings.batch_size
    views = num_persons * len(TURNS_DEG) if turns else 0
    if settings.contrast.views == "warped":
        views = min(views + drawn, num_persons * num_yaws)
    mixtures = drawn if settings.contrast.mixup in ("body", "garments") else 0
    views += _VIEWS_OF_MIXTURE * mixtures
    return turning.seconds(min(num_persons, views), views)
