"""The section `train_joint`: docs/method.md, Joint training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from genreid.clustering.settings import PseudoLabelSettings
from genreid.data.settings import AugmentationSettings
from genreid.errors import GenreidError
from genreid.losses.settings import NegativeQuery
from genreid.models.settings import GeneratedStatistics
from genreid.ranges import BatchSize, Count, InnerShare, Positive, Rate, Seed, Share, shared
from genreid.training.settings.cameras import CameraContrastSettings
from genreid.training.settings.generation import GenerationSettings
from genreid.training.settings.precision import Precision
from genreid.training.settings.ranks import RankStatistics

ClusterViews = Literal["none", "mirror", "turned", "turned_rows"]
"""What is clustered besides the image: nothing, its mirror image, its person turned."""
Oracle = Literal["none", "true_views", "true_labels", "true_views_and_labels"]


@dataclass(frozen=True)
class ContrastSettings:
    """The contrastive half of `train_joint`."""

    views: Literal["generated", "warped", "augmented", "copy_paste", "none"]
    """What the second view f_θ shows. generated: the rotated view x_θ, painted or repaired; warped: what x
    shows, warped along the turned mesh, nothing painted; augmented: ordinary augmentation of x;
    copy_paste: x's person as it is, on another background."""
    background: Literal["own", "other_cameras"]
    """What the persons of second views and mixtures stand before. own: the image's; other_cameras: one of
    another camera's."""
    camera_colours: bool
    """Whether warped persons take the mean and spread of that camera's colours."""
    mixup: Literal["d_mixup", "body", "garments", "f_mixup", "mixup", "none"]
    """How a mixture x_mix comes to be. d_mixup: identity codes, painted by G; body: textures on the mesh,
    vertex by vertex; garments: the other one's coat or trousers on the mesh; f_mixup: E_id's feature maps;
    mixup: pixels."""
    mixup_partner: Literal["random", "nearest"]
    """Whom an image is mixed with. random: one of the batch; nearest: the nearest of another pseudo-identity
    in it."""
    mixup_mesh: Literal["own", "rotated"]
    """Whose mesh mixtures are shown on. Of d_mixup, body and garments; own: the image's, as it is; rotated:
    turned."""
    memory: Literal["instance", "cluster"]
    """What the memory keeps a row of. instance: each image; cluster: each pseudo-identity."""
    rotation_weight: float
    """Weight w_rot of rotation contrast."""
    prototype_weight: float
    """Weight w_id of the prototype loss."""
    mixup_weight: float
    """Weight w_mix of mixup contrast."""
    rotation_temperature: Positive
    """Temperature τ of rotation contrast."""
    prototype_temperature: Positive
    """Temperature τ_p of prototypes."""
    num_negatives: Count
    """Negatives K of an image [rows of the memory]."""
    keep_old: Share
    """Share of a memory row that an update leaves."""
    memory_of: Literal["image", "views"]
    """What a memory row tells of. image: the image; views: the mean over it and its views, at the start what
    is clustered, later f and f_θ."""
    third_term_negatives: NegativeQuery
    """Embedding that scores the negatives of NCE(f→v_pos). own: f; rotated: f_θ, as the released program has
    it."""

    def __post_init__(self) -> None:
        if self.views == "copy_paste" and self.background == "own":
            raise GenreidError(
                "contrast.views is `copy_paste`, which before its own background is the image itself: "
                "set `train_joint.contrast.background: other_cameras`"
            )
        if self.camera_colours and not (self.background == "other_cameras" and self.warps):
            raise GenreidError(
                "contrast.camera_colours is true, and no warped person stands before another camera's "
                "background: set `train_joint.contrast.camera_colours: false`, or background to "
                "`other_cameras` and views to `warped`"
            )
        if self.memory_of == "views" and self.views == "none":
            raise GenreidError(
                "contrast.memory_of is `views`, and contrast.views `none`: "
                "set `train_joint.contrast.memory_of: image`, or another value for views"
            )

    @property
    def warps(self) -> bool:
        """Whether second views or mixtures are made by warping."""
        return self.views == "warped" or self.mixup in ("body", "garments")


@dataclass(frozen=True)
class JointSettings:
    """The section `train_joint`."""

    seed: Seed
    """Seed of the stage's random draws."""
    precision: Precision
    """What the networks learn in. auto: bfloat16 where the processor has instructions for it."""
    oracle: Oracle
    """What is told of the truth, for studies alone. It shows what limits a gain. true_views: the benchmark's
    own pictures of the turned person in place of warped ones; true_labels: the true identities in place of
    pseudo-identities. The caller hands them over: nothing in here can reach them."""
    contrast: ContrastSettings
    """What is contrasted with what."""
    clustering: PseudoLabelSettings
    """How images become pseudo-identities."""
    cluster_on: Literal["memory", "fresh"]
    """What is clustered. memory: its moving average; fresh: embeddings made anew."""
    cluster_views: ClusterViews
    """What is averaged with an image before clustering. mirror: its mirror image; turned: its
    person turned by warping; turned_rows: images and turned persons each find neighbours, which become
    those of the image."""
    camera_centred: bool = field(metadata=shared("clustering.camera_centred"))
    """Whether the mean embedding of each camera is left out. Not while colours are clustered."""
    camera_contrast: CameraContrastSettings = field(metadata=shared("camera_contrast"))
    """Contrast with proxies of each camera. Of real images, in joint training."""
    mirror: Share
    """Probability that an image is shown mirrored. With all that belongs to it."""
    generation: GenerationSettings
    """How generator and discriminator learn."""
    generator: Literal["learns", "frozen"]
    """Whether E_str, G and D go on learning. frozen: they stay as pretrained."""
    generator_every: Count
    """Steps of the encoder to one of the generator [steps]."""
    contrast_teaches_generator: bool
    """Whether the contrast teaches the generator, through second views."""
    generated_batchnorm: GeneratedStatistics
    """Batch statistics of painted images in the encoder. separate: their own, which change no running
    statistics; shared: as those of real images; frozen: the running ones."""
    rank_statistics: RankStatistics
    """Batch statistics in the encoder where training runs on several ranks. synchronised: of the whole batch,
    as on one; own: of each rank's part of it."""
    detach_appearance: bool
    """Whether L_gen teaches the encoder nothing. a(x) is detached before G paints with it, and E_id's weights
    take no gradient of L_feat and L_cyc."""
    augmentation: AugmentationSettings
    """How second views are changed, for views `augmented`."""
    epochs: Count
    """Rounds of clustering and training [epochs]."""
    steps_per_epoch: Count
    """Batches of a round [steps]."""
    batch_size: BatchSize
    """Images of a step [images]."""
    lr: Rate
    """Learning rate of the encoder's SGD."""
    momentum: InnerShare
    """Nesterov momentum of the encoder's SGD."""
    weight_decay: float
    """Weight decay of the encoder's SGD."""
    lr_step_epochs: Count
    """Time after which every rate falls to a tenth, again and again [epochs]."""
    embed_batch_size: Count
    """Images that are embedded at once [images]. It changes memory and speed, not embeddings."""
    picture_every: int
    """Time between two pictures [epochs]. 0 for none."""

    def __post_init__(self) -> None:
        if self.contrast.memory == "cluster" and self.cluster_on == "memory":
            raise GenreidError(
                "contrast.memory is `cluster`, which keeps no row an image to cluster on: "
                "set `train_joint.cluster_on: fresh`"
            )
        if self.wants_true_views and self.contrast.views != "warped":
            raise GenreidError(
                f"train_joint.oracle is {self.oracle}, whose views stand in the place of warped ones, and "
                f"contrast.views is `{self.contrast.views}`: set `train_joint.contrast.views: warped`"
            )
        if self.cluster_views != "none" and self.cluster_on == "memory":
            raise GenreidError(
                f"cluster_views is `{self.cluster_views}`, of which the memory knows nothing: "
                "set `train_joint.cluster_on: fresh`"
            )

    @property
    def wants_true_views(self) -> bool:
        """Whether an oracle shows the second views."""
        return self.oracle in ("true_views", "true_views_and_labels")

    @property
    def wants_true_labels(self) -> bool:
        """Whether an oracle tells who is who."""
        return self.oracle in ("true_labels", "true_views_and_labels")

    @property
    def paints(self) -> bool:
        """Whether any view of this run comes from G."""
        return self.contrast.views == "generated" or self.contrast.mixup == "d_mixup"

    @property
    def warps(self) -> bool:
        """Whether any view of this run is made by warping."""
        return self.contrast.warps or self.cluster_views in ("turned", "turned_rows")

    @property
    def pastes(self) -> bool:
        """Whether persons are cut out of their images as they are."""
        return self.contrast.views == "copy_paste"

    @property
    def changes_background(self) -> bool:
        """Whether the persons of second views stand before backgrounds of other cameras."""
        contrast = self.contrast
        moves = self.paints or contrast.warps or self.pastes
        return contrast.background == "other_cameras" and moves

    @property
    def generator_learns(self) -> bool:
        """Whether E_str, G and D learn in this run: not where nothing is painted."""
        return self.paints and self.generator == "learns"

    def generator_due(self, epoch: int, step: int) -> bool:
        """Whether they learn in this step of this epoch, both counted from 0."""
        return self.generator_learns and (epoch * self.steps_per_epoch + step) % self.generator_every == 0
