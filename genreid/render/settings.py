"""Who draws the views, by name."""

from __future__ import annotations

from typing import Literal

BackendName = Literal["auto", "zbuffer", "pytorch3d"]
