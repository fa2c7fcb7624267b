"""The section `pretrain_encoder`, but for encoders from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from genreid.clustering.settings import PseudoLabelSettings
from genreid.data.settings import AugmentationSettings
from genreid.models.settings import EncoderSettings
from genreid.ranges import Count, Positive, Rate, Seed, Share, TwoOrMore, shared
from genreid.training.settings.cameras import CameraContrastSettings
from genreid.training.settings.precision import Precision
from genreid.training.settings.ranks import RankStatistics


@dataclass(frozen=True)
class WarmUpSettings:
    """The section `pretrain_encoder`."""

    seed: Seed
    """Seed of the stage's random draws."""
    precision: Precision
    """What the networks learn in. auto: bfloat16 where the processor has instructions for it."""
    encoder: EncoderSettings
    """What the encoder is made of."""
    clustering: PseudoLabelSettings
    """How images become pseudo-identities."""
    camera_centred: bool = field(metadata=shared("clustering.camera_centred"))
    """Whether the mean embedding of each camera is left out. Not while colours are clustered."""
    camera_contrast: CameraContrastSettings = field(metadata=shared("camera_contrast"))
    """Contrast with proxies of each camera. Of real images, in joint training."""
    augmentation: AugmentationSettings
    """How images are changed."""
    colour_epochs: int
    """First epochs that cluster on the colours of stripes [epochs]. Embeddings of an encoder with random
    weights group by camera, and clustering would only confirm that; 0 for a pretrained encoder."""
    epochs: int
    """Rounds of clustering and training [epochs]."""
    steps_per_epoch: Count
    """Batches of a round [steps]. Each pseudo-identity comes once before any comes twice."""
    identities_per_batch: Count
    """Pseudo-identities of a batch [identities]."""
    images_per_identity: TwoOrMore
    """Images of each of them [images]."""
    temperature: Positive
    """Temperature τ of the contrast."""
    keep_old: Share
    """Share of a memory slot that an update leaves. Of a camera's proxy too."""
    rank_statistics: RankStatistics
    """Batch statistics where training runs on several ranks. synchronised: of the whole batch, as on one;
    own: of each rank's part of it."""
    lr: Rate
    """Learning rate of Adam."""
    weight_decay: float
    """Weight decay of Adam."""
    lr_step_epochs: Count
    """Time after which the rate falls to a tenth, again and again [epochs]."""
    embed_batch_size: Count
    """Images that are embedded at once [images]. It changes memory and speed, not embeddings."""
