"""Random generators named by what they are for.

A run must give the same result however often it was interrupted and however many workers it had. So no
code draws from a global generator: every piece of work makes its own from the stage's seed and the keys
that name the piece (`numpy_rng(seed, "shot", 17)`), and can be done again alone.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, *keys: int | str) -> int:
    """A 63-bit seed that depends on every key, equal on every machine and in every process."""
    text = "/".join(str(part) for part in (seed, *keys))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_rng(seed: int, *keys: int | str) -> np.random.Generator:
    """A NumPy generator of its own for the work that `keys` name."""
    return np.random.default_rng(derive_seed(seed, *keys))


def torch_rng(seed: int, *keys: int | str) -> torch.Generator:
    """A torch generator (CPU) of its own for the work that `keys` name."""
    import torch

    return torch.Generator().manual_seed(derive_seed(seed, *keys))
