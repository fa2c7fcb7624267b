"""The encoder as an OpenVINO model: an XML file, and its weights beside it in a file of the same name.

The package of the extra `openvino` is imported where it is used.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genreid.deployment.exported import (
    EmbeddingOnly,
    import_package,
    largest_difference,
    preprocessing,
    require_same,
)
from genreid.deployment.onnx import export_encoder
from genreid.models.embedding import Embedder
from genreid.preprocessing import Preprocessing

PRECISE = {"INFERENCE_PRECISION_HINT": "f32"}
"""OpenVINO would compute in bfloat16 where the processor can, and differ by more than is allowed."""


def export_openvino(encoder: Embedder, path: Path, prepared: Preprocessing, source: str) -> float:
    """Write the encoder to `path` and its weights beside it, to the same name ending in .bin, in float32.

    It goes through the ONNX file, which is checked first. The facts of `preprocessing` and the source are in
    the model's `rt_info`. Returns the largest difference of OpenVINO's embeddings from torch's on random
    pictures, computed in float32. Raises GenreidError as `export_encoder` does.
    """
    openvino = import_package("openvino", "openvino")
    with tempfile.TemporaryDirectory() as folder:
        graph, made = Path(folder) / "encoder.onnx", Path(folder) / "encoder.xml"
        export_encoder(encoder, graph, prepared, source)
        model = openvino.convert_model(str(graph))
        for name, value in (("preprocessing", json.dumps(preprocessing(prepared))), ("source", source)):
            model.set_rt_info(value, f"genreid.{name}")
        openvino.save_model(model, str(made), compress_to_fp16=False)
        run = runner(openvino, made)
        difference = largest_difference(run, EmbeddingOnly(encoder).eval(), prepared.size_px)
        require_same(difference, "OpenVINO")
        for file in (made.with_suffix(".bin"), made):
            shutil.move(file, path.with_suffix(".bin") if file != made else path)
    return difference


def runner(openvino: Any, path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Pictures (B,3,H,W) float32 to embeddings, by OpenVINO on the CPU, in float32."""
    compiled = openvino.Core().compile_model(str(path), "CPU", PRECISE)
    return lambda images: np.array(compiled([images])[0])
