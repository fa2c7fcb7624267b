"""What the losses can be told by name."""

from __future__ import annotations

from typing import Literal

NegativeQuery = Literal["own", "rotated"]
