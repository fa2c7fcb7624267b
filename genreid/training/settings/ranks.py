"""What training on several ranks is told."""

from __future__ import annotations

from typing import Literal

RankStatistics = Literal["synchronised", "own"]
