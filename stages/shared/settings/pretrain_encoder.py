"""The section `pretrain_encoder`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.models.settings import ImportSettings
from genreid.training.settings.warm_up import WarmUpSettings


@dataclass(frozen=True)
class PretrainEncoderSettings(WarmUpSettings):
    """The section `pretrain_encoder`. import_from: a checkpoint of another program; null to warm up here."""

    import_from: ImportSettings | None
