"""What learning to paint is told, in `pretrain_generator` and in `train_joint` alike."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.ranges import Count, Decay, Positive, Rate


@dataclass(frozen=True)
class GenerationSettings:
    """How generator and discriminator learn, in `pretrain_generator` and in `train_joint` alike.

    adversarial, image, cycle, feature: weights of L_adv, L_img, L_cyc and L_feat; a generator that repairs
    has no L_img. same_person: weight of L_same, beyond the paper; 0 for the paper's losses alone. real:
    weight of D's real term, against 1 for each kind of fake. r1: weight of the penalty, taken every
    `r1_every` steps and then multiplied by r1_every. mixup_alpha: λ ~ Beta(α, α). lr, beta1, beta2,
    weight_decay: Adam of E_str, G, D.
    """

    adversarial: float
    image: float
    cycle: float
    feature: float
    same_person: float
    real: float
    r1: float
    r1_every: Count
    mixup_alpha: Positive
    lr: Rate
    beta1: Decay
    beta2: Decay
    weight_decay: float
