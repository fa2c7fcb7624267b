"""The encoder as an ONNX file: image in, embedding of length 1 out.

The packages of the extra `export` are imported where they are used.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from genreid.deployment.exported import (
    INPUT,
    OUTPUT,
    EmbeddingOnly,
    import_package,
    largest_difference,
    preprocessing,
    quiet,
    require_same,
)
from genreid.models.embedding import Embedder
from genreid.preprocessing import Preprocessing

OPSET = 18


def export_encoder(encoder: Embedder, path: Path, prepared: Preprocessing, source: str) -> float:
    """Write the encoder (on the CPU, in evaluation mode) to `path` and check it by onnxruntime.

    Batch size is free; the L2 normalisation is inside. source: named in the metadata, beside
    `preprocessing`. Returns the largest difference from torch's embeddings on random pictures. Raises
    GenreidError when the extra is not installed, or the difference is more than TOLERANCE.
    """
    onnx, _ = import_package("onnx"), import_package("onnxscript")
    runtime = import_package("onnxruntime")
    model = EmbeddingOnly(encoder).eval()
    example = torch.randn(2, 3, *prepared.size_px, generator=torch.Generator().manual_seed(0))
    with quiet():
        torch.onnx.export(
            model,
            (example,),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    state_facts(onnx, path, preprocessing(prepared), source)
    difference = _difference(runtime, model, path, *prepared.size_px)
    return require_same(difference, "onnxruntime")


def state_facts(onnx: Any, path: Path, prepared: dict[str, Any], source: str) -> None:
    graph = onnx.load(path)
    for name, value in (("preprocessing", json.dumps(prepared)), ("source", source)):
        entry = graph.metadata_props.add()
        entry.key, entry.value = f"genreid.{name}", value
    onnx.save(graph, path)
    onnx.checker.check_model(str(path))


def _difference(runtime: Any, model: nn.Module, path: Path, height_px: int, width_px: int) -> float:
    return largest_difference(runner(runtime, path), model, (height_px, width_px))


def runner(runtime: Any, path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Pictures (B,3,H,W) float32 to embeddings, by onnxruntime on the CPU."""
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> np.ndarray:
        (found,) = session.run([OUTPUT], {INPUT: images})
        return found  # type: ignore[no-any-return]

    return run
