"""The section `camera_contrast` of `pretrain_encoder` and `train_joint`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.ranges import Count, Positive


@dataclass(frozen=True)
class CameraContrastSettings:
    """Beyond the paper: contrast with proxies, one for each camera that sees a pseudo-identity.

    within: weight of the contrast among the proxies of an image's own camera; across: of that with the
    proxies of its pseudo-identity in other cameras; 0 for none. temperature: τ of both. num_negatives: how
    many of the nearest proxies of other pseudo-identities the second one pushes away.
    """

    within: float
    across: float
    temperature: Positive
    num_negatives: Count

    @property
    def is_on(self) -> bool:
        """Whether any proxy is needed."""
        return self.within > 0 or self.across > 0
