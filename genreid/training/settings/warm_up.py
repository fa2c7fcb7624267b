"""The section `pretrain_encoder`, but for encoders from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.clustering.settings import PseudoLabelSettings
from genreid.data.settings import AugmentationSettings
from genreid.models.settings import EncoderSettings
from genreid.ranges import Count, Positive, Rate, Seed, Share, TwoOrMore
from genreid.training.settings.cameras import CameraContrastSettings
from genreid.training.settings.precision import Precision


@dataclass(frozen=True)
class WarmUpSettings:
    """The section `pretrain_encoder`.

    For the first `colour_epochs` the images are clustered on the colours of their stripes: embeddings of an
    encoder with random weights group by camera, and clustering would only confirm that. 0 for a pretrained
    encoder. camera_centred: whether later clusterings leave out the mean embedding of each camera.
    Batches hold `identities_per_batch` × `images_per_identity` images, `steps_per_epoch` of them an epoch
    (each pseudo-identity comes once before any comes twice). temperature: τ. keep_old: share of a slot
    that an update leaves in place, and of a camera's proxy. lr falls by 10 every `lr_step_epochs`.
    """

    seed: Seed
    precision: Precision
    encoder: EncoderSettings
    clustering: PseudoLabelSettings
    camera_centred: bool
    camera_contrast: CameraContrastSettings
    augmentation: AugmentationSettings
    colour_epochs: int
    epochs: int
    steps_per_epoch: Count
    identities_per_batch: Count
    images_per_identity: TwoOrMore
    temperature: Positive
    keep_old: Share
    lr: Rate
    weight_decay: float
    lr_step_epochs: Count
    embed_batch_size: Count
