"""The encoder as an ONNX file: image in, embedding of length 1 out.

The packages of the extra `export` are imported where they are used.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.embedding import Embedder
from genreid.preprocessing import Preprocessing

OPSET = 18
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


def export_encoder(encoder: Embedder, path: Path, prepared: Preprocessing, source: str) -> float:
    """Write the encoder (on the CPU, in evaluation mode) to `path` and check it by onnxruntime.

    Batch size is free; the L2 normalisation is inside. source: named in the metadata, beside
    `preprocessing`. Returns the largest difference from torch's embeddings on random pictures. Raises
    GenreidError when the extra is not installed, or the difference is more than TOLERANCE.
    """
    onnx, _ = _import("onnx"), _import("onnxscript")
    runtime = _import("onnxruntime")
    model = _EmbeddingOnly(encoder).eval()
    example = torch.randn(2, 3, *prepared.size_px, generator=torch.Generator().manual_seed(0))
    with _quiet():
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
    _state_facts(onnx, path, preprocessing(prepared), source)
    difference = _difference(runtime, model, path, *prepared.size_px)
    if not difference <= TOLERANCE:
        raise GenreidError(
            f"the exported network differs from torch by {difference:.2g}, more than {TOLERANCE:g}: "
            "onnxruntime or torch of this version computes it wrongly; try another version"
        )
    return difference


class _EmbeddingOnly(nn.Module):
    def __init__(self, encoder: Embedder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> Tensor:
        embedding: Tensor = self.encoder(image).embedding
        return embedding


def _state_facts(onnx: Any, path: Path, prepared: dict[str, Any], source: str) -> None:
    graph = onnx.load(path)
    for name, value in (("preprocessing", json.dumps(prepared)), ("source", source)):
        entry = graph.metadata_props.add()
        entry.key, entry.value = f"genreid.{name}", value
    onnx.save(graph, path)
    onnx.checker.check_model(str(path))


def _difference(runtime: Any, model: nn.Module, path: Path, height_px: int, width_px: int) -> float:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest = 0.0
    for num in _CHECKED_BATCHES:
        rng = torch.Generator().manual_seed(num)
        image = torch.randn(num, 3, height_px, width_px, generator=rng)
        with torch.inference_mode():
            expected = model(image).numpy()
        (found,) = session.run([OUTPUT], {INPUT: image.numpy()})
        if found.shape != expected.shape:
            return float("inf")
        largest = max(largest, float(np.abs(found - expected).max()))
    return largest


def _import(package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise GenreidError(
            f"an export needs the package {package} ({error}); install it: pip install 'genreid[export]'"
        ) from error


@contextlib.contextmanager
def _quiet() -> Any:
    """The exporter talks on stdout, by warnings and by logs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
