"""What all exported files have in common: what is in them, and how each is held against torch.

B images of H×W pixels.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.embedding import Embedder
from genreid.preprocessing import Preprocessing

TOLERANCE = 1e-4
INPUT, OUTPUT = "image", "embedding"
_CHECKED_BATCHES = (1, 3)


def preprocessing(prepared: Preprocessing) -> dict[str, Any]:
    """What has to be done to a picture before the file sees it, and what comes out: for its metadata."""
    return {
        "input": f"{INPUT}: float32 (batch, 3, {prepared.height_px}, {prepared.width_px}), RGB",
        "resize": f"to that size; {prepared.resize}",
        "scale": "divide the bytes by 255, subtract mean, divide by std, channel by channel",
        "mean": list(prepared.mean),
        "std": list(prepared.std),
        "output": f"{OUTPUT}: float32 (batch, width), of length 1 already; compare by the dot product",
    }


class EmbeddingOnly(nn.Module):
    """Pictures (B,3,H,W), normalised, to embeddings (B,D) of length 1."""

    def __init__(self, encoder: Embedder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> Tensor:
        embedding: Tensor = self.encoder(image).embedding
        return embedding


def example_of(size_px: tuple[int, int], num: int, seed: int) -> Tensor:
    """Pictures of noise (num,3,H,W)."""
    return torch.randn(num, 3, *size_px, generator=torch.Generator().manual_seed(seed))


def largest_difference(
    run: Callable[[np.ndarray], np.ndarray], model: nn.Module, size_px: tuple[int, int]
) -> float:
    """Between what a runtime makes of random pictures, in batches of several sizes, and what torch does;
    infinite where shapes differ."""
    largest = 0.0
    for num in _CHECKED_BATCHES:
        image = example_of(size_px, num, seed=num)
        with torch.inference_mode():
            expected = model(image).numpy()
        found = run(image.numpy())
        if found.shape != expected.shape:
            return float("inf")
        largest = max(largest, float(np.abs(found - expected).max()))
    return largest


def require_same(difference: float, runtime: str) -> float:
    """Raises GenreidError where the difference is more than TOLERANCE, or no number."""
    if not difference <= TOLERANCE:
        raise GenreidError(
            f"the exported network differs from torch by {difference:.2g}, more than {TOLERANCE:g}: "
            f"{runtime} or torch of this version computes it wrongly; try another version"
        )
    return difference


def import_package(package: str, extra: str = "export") -> Any:
    """A package of an extra. Raises GenreidError where it is not installed."""
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise GenreidError(
            f"an export needs the package {package} ({error}); install it: pip install 'genreid[{extra}]'"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters talk on stdout, by warnings and by logs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
