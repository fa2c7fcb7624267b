"""What the training stages share: their images, and what happens to what an epoch reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest, ManifestInfo
from pipeline.artifacts import write_torch
from pipeline.tracking import EpochReport
from stages.shared.data import image_set, read_manifest
from stages.shared.run import StageRun

if TYPE_CHECKING:
    from genreid.models.encoder import IdentityEncoder
    from genreid.training.expected import Speed

    Guess = Callable[[Speed], float | None]


def training_set(run: StageRun) -> tuple[Manifest, ImageSet]:
    """The train split, and its images without their identities."""
    train = read_manifest(run).select("train")
    return train, image_set(run, train)


def tell_expected(run: StageRun[Any], encoder: IdentityEncoder, info: ManifestInfo, guess: Guess) -> None:
    """Print how long a run that begins anew will take, by the encoder's speed here; nothing where `guess` is
    None."""
    from genreid.training.expected import Speed, duration

    if run.state.resumed:  # its progress bar knows better
        return
    size_px = info.height_px, info.width_px
    seconds = guess(Speed.of(encoder, size_px, run.device, run.settings.precision))
    if seconds is not None:
        run.console.print(f"expected: about {duration(seconds)}")


def train_and_write(
    run: StageRun,
    epochs: Iterable[EpochReport],
    key: str,
    checkpoint: Callable[[], Mapping[str, Any]],
    title: str,
    facts: Mapping[str, object],
) -> None:
    """Follow the training to its end; write its checkpoint to the artifact `key`, its curves, its summary."""
    for report in epochs:
        run.tracker.report(report)
    write_torch(run.path(key), checkpoint())
    run.tracker.publish(run.plots)
    run.show(title, {**facts, **run.tracker.last_figures})
