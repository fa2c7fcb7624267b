"""What the networks compute in."""

from __future__ import annotations

from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]
"""`auto` looks at the processor: `genreid.training.precision.computed_in`."""
