"""The section `train_joint`: docs/method.md, Joint training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genreid.clustering.settings import PseudoLabelSettings
from genreid.data.settings import AugmentationSettings
from genreid.errors import GenreidError
from genreid.losses.settings import NegativeQuery
from genreid.models.settings import GeneratedStatistics
from genreid.ranges import BatchSize, Count, InnerShare, Positive, Rate, Seed, Share
from genreid.training.settings.cameras import CameraContrastSettings
from genreid.training.settings.generation import GenerationSettings
from genreid.training.settings.precision import Precision

ClusterViews = Literal["none", "mirror", "turned", "turned_rows"]
"""What is clustered besides the image: nothing, its mirror image, its person turned."""
Oracle = Literal["none", "true_views", "true_labels", "true_views_and_labels"]


@dataclass(frozen=True)
class ContrastSettings:
    """The contrastive half of `train_joint`.

    views: what the second view f_θ shows: `generated` (the rotated view x_θ, painted or repaired),
    `augmented` (ordinary augmentation of x), `copy_paste` (x's person as it is, on another background),
    `warped` (what x shows, warped along the turned mesh, nothing painted) or `none`. background: what the
    persons of x_θ and x_mix stand before, the image's `own` (the paper) or one of `other_cameras`.
    camera_colours: whether warped persons there have the mean and the spread of that camera's colours. mixup:
    how x_mix comes to be: `d_mixup` (identity codes, painted by G), `body` (textures on the mesh, vertex by
    vertex), `garments` (the other one's coat or trousers on the mesh), `f_mixup` (E_id's feature maps),
    `mixup` (pixels) or `none`. mixup_partner: whom an image is mixed with, a `random` one of the batch (the
    paper) or the `nearest` of another pseudo-identity. mixup_mesh: which mesh mixtures of codes and
    textures are shown on, the image's `own` (the paper) or the `rotated` one. memory: `instance` or
    `cluster`. rotation_weight, prototype_weight, mixup_weight: w_rot, w_id, w_mix. rotation_temperature: τ;
    prototype_temperature: τ_p. num_negatives: K. keep_old: share of a memory row that an update leaves.
    memory_of: what a memory row tells of, the `image` (the paper) or the mean over it and its `views`: at
    the start what is clustered, later f and f_θ. third_term_negatives: the embedding that scores the
    negatives of NCE(f→v_pos): `own` f, or `rotated` f_θ (the released program).
    """

    views: Literal["generated", "warped", "augmented", "copy_paste", "none"]
    background: Literal["own", "other_cameras"]
    camera_colours: bool
    mixup: Literal["d_mixup", "body", "garments", "f_mixup", "mixup", "none"]
    mixup_partner: Literal["random", "nearest"]
    mixup_mesh: Literal["own", "rotated"]
    memory: Literal["instance", "cluster"]
    rotation_weight: float
    prototype_weight: float
    mixup_weight: float
    rotation_temperature: Positive
    prototype_temperature: Positive
    num_negatives: Count
    keep_old: Share
    memory_of: Literal["image", "views"]
    third_term_negatives: NegativeQuery

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
    """The section `train_joint`.

    oracle: beyond the paper and for studies alone, what is told of the truth, to see what limits a gain:
    nothing (`none`); the benchmark's own pictures of the turned person in place of warped ones
    (`true_views`); the true identities in place of pseudo-identities (`true_labels`); or both. The caller
    hands them over: nothing in here can reach them.
    cluster_on: what is clustered, the moving-average `memory` or `fresh` embeddings; cluster_views: what
    those are the mean over besides the image: `none`, its `mirror` image, or its person `turned` by warping;
    with `turned_rows` images and turned persons each find neighbours, which become those of the image;
    camera_centred: whether without the mean of each camera. camera_contrast: of real images, with proxies of
    each camera. mirror: the chance of an image of a batch to be
    shown mirrored, with all that belongs to it. generator: whether E_str, G and D go on learning (`learns`)
    or stay as pretrained (`frozen`); generator_every: steps of E_id to one of theirs (1: the paper);
    contrast_teaches_generator: whether gradients of the contrastive losses reach them through the second
    views. generated_batchnorm: see `genreid.models.batchnorm`. detach_appearance: whether L_gen teaches E_id
    nothing: a(x) is detached before G paints with it, and E_id's weights take no gradient of L_feat and
    L_cyc. lr, momentum, weight_decay: Nesterov SGD of E_id; every lr falls by 10 every `lr_step_epochs`.
    augmentation: what `contrast.views: augmented` does to the second view. picture_every: epochs between two
    pictures, 0 for none.
    """

    seed: Seed
    precision: Precision
    oracle: Oracle
    contrast: ContrastSettings
    clustering: PseudoLabelSettings
    cluster_on: Literal["memory", "fresh"]
    cluster_views: ClusterViews
    camera_centred: bool
    camera_contrast: CameraContrastSettings
    mirror: Share
    generation: GenerationSettings
    generator: Literal["learns", "frozen"]
    generator_every: Count
    contrast_teaches_generator: bool
    generated_batchnorm: GeneratedStatistics
    detach_appearance: bool
    augmentation: AugmentationSettings
    epochs: Count
    steps_per_epoch: Count
    batch_size: BatchSize
    lr: Rate
    momentum: InnerShare
    weight_decay: float
    lr_step_epochs: Count
    embed_batch_size: Count
    picture_every: int

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
