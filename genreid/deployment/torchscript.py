"""The encoder as a TorchScript file, for programs with torch and without this one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from genreid.deployment.exported import (
    EmbeddingOnly,
    example_of,
    largest_difference,
    preprocessing,
    quiet,
    require_same,
)
from genreid.models.embedding import Embedder
from genreid.preprocessing import Preprocessing


def export_torchscript(encoder: Embedder, path: Path, prepared: Preprocessing, source: str) -> float:
    """Trace the encoder (on the CPU, in evaluation mode), write it to `path`, load it again and compare.

    Batch size is free; the L2 normalisation is inside. The facts of `preprocessing` and the source are files
    in the archive (`torch.jit.load(path, _extra_files=…)`). Returns the largest difference from torch's
    embeddings on random pictures. Raises GenreidError when it is more than TOLERANCE.
    """
    model = EmbeddingOnly(encoder).eval()
    with quiet(), torch.no_grad():
        traced = torch.jit.trace(model, example_of(prepared.size_px, 2, seed=0), check_trace=False)
        facts = {
            "genreid.preprocessing": json.dumps(preprocessing(prepared)),
            "genreid.source": source,
        }
        torch.jit.save(traced, str(path), _extra_files=facts)
        loaded = torch.jit.load(str(path))

    def run(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return loaded(torch.from_numpy(images)).numpy()  # type: ignore[no-any-return]

    return require_same(largest_difference(run, model, prepared.size_px), "TorchScript")
