"""How batch norm treats generated images.

Real images go through the encoder in train mode as always. Generated ones are another distribution, and
there are four or five times as many of them: real images alone update the running statistics (docs/method.md,
Decisions).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from genreid.errors import GenreidError
from genreid.models.settings import GeneratedStatistics


@contextmanager
def generated_images(encoder: nn.Module, statistics: GeneratedStatistics) -> Iterator[None]:
    """Within the block, `encoder` takes generated images.

    separate (docs/method.md, Decisions): they are normalised by the statistics of their own batch, and the
        running statistics stay as the real images left them.
    shared (the reference program's way): they are normalised by the statistics of their own batch and
        update the running statistics, which real and generated images then share.
    frozen: they are normalised by the running statistics, which stay as they are.

    Outside train mode the running statistics are used in any case, and the block changes nothing. On leaving
    it, every layer is as it was.
    """
    if statistics not in get_args(GeneratedStatistics):
        known = ", ".join(get_args(GeneratedStatistics))
        raise GenreidError(f"batch norm of generated images is {statistics!r}; it must be one of {known}")
    layers = [module for module in encoder.modules() if isinstance(module, _BatchNorm) and module.training]
    before = [layer.track_running_stats for layer in layers]
    try:
        for layer in layers:
            if statistics == "separate":
                # in train mode this means: the batch's statistics, and nothing written down
                layer.track_running_stats = False
            elif statistics == "frozen":
                layer.training = False
        yield
    finally:
        for layer, tracked in zip(layers, before, strict=True):
            layer.track_running_stats = tracked
            layer.training = True
