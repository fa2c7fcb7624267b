"""The ONNX file in eight bits, by onnxruntime's static quantiser, and what that costs.

B images of H×W pixels, N images of a set, D embedding width.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from genreid.data.images import ImageSet
from genreid.data.transforms import normalise
from genreid.deployment.exported import INPUT, import_package, quiet

CALIBRATION_IMAGES = 256
_BATCH = 32
_QUANTISED = ("Conv", "Gemm", "MatMul")
"""What multiplies by weights. All else stays in float32: the lengths of embeddings too."""


class Batches:
    """The reader of calibration data that onnxruntime asks for."""

    def __init__(self, batches: Iterator[np.ndarray]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantise(path: Path, images: ImageSet) -> int:
    """Replace the ONNX file at `path` by the same network in eight bits, weights channel by channel.

    images: of the project; the ranges of the feature maps are the extremes on CALIBRATION_IMAGES of them,
    evenly over the set. Returns how many were looked at. The file's metadata stays. Raises GenreidError
    where the extra is not installed.
    """
    onnx, quantisation = import_package("onnx"), import_package("onnxruntime.quantization")
    process = import_package("onnxruntime.quantization.shape_inference")
    facts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    chosen = np.unique(
        np.linspace(0, len(images) - 1, min(CALIBRATION_IMAGES, len(images))).round().astype(int)
    )
    with tempfile.TemporaryDirectory() as folder, quiet():
        plain = Path(folder) / "plain.onnx"
        # Batch norms become part of their convolutions; its symbolic shapes know no free batch size.
        process.quant_pre_process(str(path), str(plain), skip_symbolic_shape=True)
        quantisation.quantize_static(
            str(plain),
            str(path),
            Batches(_batches(images, chosen)),
            quant_format=quantisation.QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTISED),
            per_channel=True,
            reduce_range=True,  # seven bits a weight: sums of eight overflow on processors without VNNI
            activation_type=quantisation.QuantType.QUInt8,
            weight_type=quantisation.QuantType.QInt8,
            calibrate_method=quantisation.CalibrationMethod.MinMax,
        )
    _keep_facts(onnx, path, facts)
    return len(chosen)


def embed_by(run: Callable[[np.ndarray], np.ndarray], images: ImageSet) -> np.ndarray:
    """Embeddings (N, D) of a set of images by an exported file."""
    return np.concatenate([run(batch) for batch in _batches(images, np.arange(len(images)))])


def _batches(images: ImageSet, index: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(index), _BATCH):
        yield normalise(images.load(index[start : start + _BATCH])).numpy()


def _keep_facts(onnx: Any, path: Path, facts: dict[str, str]) -> None:
    graph = onnx.load(path)
    del graph.metadata_props[:]
    for key, value in facts.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(graph, path)
    onnx.checker.check_model(str(path))
