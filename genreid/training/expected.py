"""How long training will take, said before it begins: a few pictures are timed, and multiplied.

No promise: clustering, drawing, and what else the machine does are left out. N images, R pictures of each.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from genreid.models.encoder import IdentityEncoder
from genreid.training.run import autocast
from genreid.training.settings.joint import ClusterViews, JointSettings
from genreid.training.settings.precision import Precision
from genreid.training.settings.warm_up import WarmUpSettings

_NUM_TIMED = 16
_NUM_PICTURES: dict[ClusterViews, int] = {"none": 1, "mirror": 2, "turned": 4, "turned_rows": 4}


@dataclass(frozen=True)
class Speed:
    """Seconds that an encoder takes for a picture: looking at it, and learning from it."""

    looking: float
    learning: float

    @classmethod
    def of(
        cls,
        encoder: IdentityEncoder,
        size_px: tuple[int, int],
        device: torch.device,
        precision: Precision = "float32",
    ) -> Speed:
        """Time `encoder`, which stays as it is, on pictures of this height and width."""
        copied = copy.deepcopy(encoder).to(device)
        pictures = torch.zeros(_NUM_TIMED, 3, *size_px, device=device)
        pictures = pictures.to(memory_format=torch.channels_last)

        def look() -> None:
            with torch.no_grad():
                copied(pictures)

        def learn() -> None:
            with autocast(device, precision):
                embedding = copied(pictures).embedding
            embedding.float().sum().backward()

        copied.eval()
        looking = _seconds(look, device)
        copied.train()
        return cls(looking, _seconds(learn, device))


def warm_up_seconds(settings: WarmUpSettings, num_images: int, speed: Speed) -> float:
    """Of the whole warm-up: every epoch looks at all N images, and learns from its batches."""
    learnt = settings.steps_per_epoch * settings.identities_per_batch * settings.images_per_identity
    return settings.epochs * (num_images * speed.looking + learnt * speed.learning)


def joint_seconds(settings: JointSettings, num_images: int, speed: Speed) -> float | None:
    """Of joint training with N images: where it clusters fresh embeddings, every epoch looks at R pictures of
    each; a step learns from images, second views and mixtures. None where a generator paints, whose time is
    another.
    """
    if settings.paints:
        return None
    fresh = settings.cluster_on == "fresh"
    looked = num_images * (_NUM_PICTURES[settings.cluster_views] if fresh else 0)
    contrast = settings.contrast
    kinds = 1 + (contrast.views != "none") + (contrast.mixup != "none")
    learnt = settings.steps_per_epoch * settings.batch_size * kinds
    return settings.epochs * (looked * speed.looking + learnt * speed.learning)


def duration(seconds: float) -> str:
    """As people say it: `40 seconds`, `12 minutes`, `2.5 hours`."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    """A picture, of the second call: the first one chooses kernels."""
    work()
    _wait(device)
    started = time.perf_counter()
    work()
    _wait(device)
    return (time.perf_counter() - started) / _NUM_TIMED


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
