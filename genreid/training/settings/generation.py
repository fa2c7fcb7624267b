"""What learning to paint is told, in `pretrain_generator` and in `train_joint` alike."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.ranges import Count, Decay, Positive, Rate


@dataclass(frozen=True)
class GenerationSettings:
    """How generator and discriminator learn, in `pretrain_generator` and in `train_joint` alike."""

    adversarial: float
    """Weight of L_adv."""
    image: float
    """Weight of L_img, the reconstruction. A generator that repairs has none."""
    cycle: float
    """Weight of L_cyc, back to the own viewpoint."""
    feature: float
    """Weight of L_feat, the appearance codes."""
    same_person: float
    """Weight of L_same. A code on the mesh of another image of its pseudo-identity has to match that image.
    """
    real: float
    """Weight of the discriminator's real term. Against 1 for each kind of fake."""
    r1: float
    """Weight of the gradient penalty R1."""
    r1_every: Count
    """Time between two penalties, each so many times as heavy [steps]."""
    mixup_alpha: Positive
    """α of λ ~ Beta(α, α), the share of a mixture."""
    lr: Rate
    """Learning rate of Adam, for E_str, G and D."""
    beta1: Decay
    """β1 of Adam."""
    beta2: Decay
    """β2 of Adam."""
    weight_decay: float
    """Weight decay of Adam."""
