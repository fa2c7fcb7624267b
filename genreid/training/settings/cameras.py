"""The section `camera_contrast` of `pretrain_encoder` and `train_joint`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.ranges import Count, Positive


@dataclass(frozen=True)
class CameraContrastSettings:
    """Contrast with proxies, one for each camera that sees a pseudo-identity, after CAP (Wang et al., AAAI
    2021)."""

    within: float
    """Weight of the contrast among the proxies of an image's own camera. 0 for none; CAP: 1.0."""
    across: float
    """Weight of the contrast with proxies of other cameras. 0 for none; CAP: 0.5."""
    temperature: Positive
    """Temperature τ of both."""
    num_negatives: Count
    """Nearest proxies of other pseudo-identities that are pushed away [proxies]. Of the contrast across
    cameras."""

    @property
    def is_on(self) -> bool:
        """Whether any proxy is needed."""
        return self.within > 0 or self.across > 0
