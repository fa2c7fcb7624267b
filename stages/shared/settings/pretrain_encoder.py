"""The section `pretrain_encoder`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.models.settings import ImportSettings
from genreid.training.settings.warm_up import WarmUpSettings


@dataclass(frozen=True)
class PretrainEncoderSettings(WarmUpSettings):
    """The section `pretrain_encoder`."""

    import_from: ImportSettings | None
    """An encoder trained elsewhere, in place of the warm-up. Null to warm up here; or {path: jvtc.pth,
    layout: auto}."""
