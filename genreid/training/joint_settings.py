"""What joint training is told: the section `train_joint` and the networks (METHOD, stage `train-joint`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genreid.clustering.pseudo_labels import PseudoLabelSettings
from genreid.data.transforms import AugmentationSettings
from genreid.errors import GenreidError
from genreid.models.batchnorm import GeneratedStatistics
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.training.contrast import ContrastSettings
from genreid.training.generation import GenerationSettings
from genreid.training.run import Precision


@dataclass(frozen=True)
class JointSettings:
    """The section `train_joint`.

    compile: whether torch.compile translates the networks (`run.compile_networks`). generator: whether
    E_str, G and D go on learning (`learns`) or stay as pretrained (`frozen`);
    generator_every: steps of E_id to one of theirs (1: the paper); contrast_teaches_generator: whether
    gradients of the contrastive losses reach them through the second views. cluster_on: what is
    clustered, the moving-average `memory` or `fresh` embeddings; camera_centred: whether without the mean
    of each camera. generated_batchnorm: see `genreid.models.batchnorm`. detach_appearance: whether L_gen
    teaches E_id nothing: a(x) is detached before G paints with it, and E_id's weights take no gradient of
    L_feat and L_cyc. lr, momentum, weight_decay: Nesterov SGD of E_id; every lr falls by 10 every
    `lr_step_epochs`. augmentation: what `contrast.views: augmented` does to the second view.
    """

    seed: int
    precision: Precision
    compile: bool
    contrast: ContrastSettings
    clustering: PseudoLabelSettings
    cluster_on: Literal["memory", "fresh"]
    camera_centred: bool
    generation: GenerationSettings
    generator: Literal["learns", "frozen"]
    generator_every: int
    contrast_teaches_generator: bool
    generated_batchnorm: GeneratedStatistics
    detach_appearance: bool
    augmentation: AugmentationSettings
    epochs: int
    steps_per_epoch: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    lr_step_epochs: int
    embed_batch_size: int
    picture_every: int

    @property
    def paints(self) -> bool:
        """Whether any view of this run comes from G."""
        return self.contrast.views == "generated" or self.contrast.mixup == "d_mixup"

    @property
    def moves(self) -> bool:
        """Whether second views stand in streets of other cameras."""
        contrast = self.contrast
        return contrast.street == "other_cameras" and (self.paints or contrast.views == "pasted")

    @property
    def generator_learns(self) -> bool:
        """Whether E_str, G and D learn in this run: not where nothing is painted."""
        return self.paints and self.generator == "learns"

    def generator_due(self, epoch: int, step: int) -> bool:
        """Whether they learn in this step of this epoch, both counted from 0."""
        return self.generator_learns and (epoch * self.steps_per_epoch + step) % self.generator_every == 0


@dataclass(frozen=True)
class Networks:
    """E_id; E_str and G; D."""

    encoder: IdentityEncoder
    generator: Generator
    discriminator: Discriminator


def check_settings(settings: JointSettings) -> None:
    """Refuse what cannot be combined."""
    if settings.contrast.memory == "cluster" and settings.cluster_on == "memory":
        raise GenreidError(
            "train_joint.contrast.memory is `cluster`, which keeps no row an image to cluster on: "
            "set `train_joint.cluster_on: fresh`"
        )
    if settings.contrast.views == "pasted" and settings.contrast.street == "own":
        raise GenreidError(
            "train_joint.contrast.views is `pasted`, which is the image itself in its own street: "
            "set `train_joint.contrast.street: other_cameras`"
        )
