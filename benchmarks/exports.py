"""Images a second of each format that `genreid export` writes, on one thread.

    python -m benchmarks.exports [CHECKPOINT] [--images 512]

CHECKPOINT: a file with an encoder in it, such as models/joint.pt; without one the encoder of params.yaml with
random weights at the size there, which takes as long. Pictures are noise, already normalised: timed is the
network alone. Times are of CPU, the best of several, so that other work on the machine disturbs them less.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.deployment.exported import EmbeddingOnly
from genreid.deployment.int8 import quantise
from genreid.deployment.onnx import export_encoder
from genreid.deployment.openvino import PRECISE, export_openvino
from genreid.deployment.torchscript import export_torchscript
from genreid.models.checkpoint import load_encoder, preprocessing_of
from genreid.models.encoder import IdentityEncoder
from genreid.models.initialisation import build_encoder
from genreid.models.settings import EncoderSettings
from genreid.preprocessing import Preprocessing
from pipeline.artifacts import read_torch
from pipeline.params import load_params, section

ROOT = Path(__file__).parents[1]
BATCHES = (1, 32)
REPEATS = 5
Run = Callable[[np.ndarray], Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", nargs="?", type=Path)
    parser.add_argument("--images", type=int, default=512, help="in each of the timings")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    encoder, prepared = _encoder(asked.checkpoint)
    print(f"{prepared.size} pixels, {sum(p.numel() for p in encoder.parameters()) / 1e6:.1f} million weights")
    print("| format | megabytes | " + " | ".join(f"images a second, batch {num}" for num in BATCHES) + " |")
    print("|---|---:|" + "---:|" * len(BATCHES))
    with tempfile.TemporaryDirectory() as folder:
        for name, (run, megabytes) in _formats(encoder, prepared, Path(folder)).items():
            speeds = [_speed(run, prepared, num, asked.images) for num in BATCHES]
            print(f"| {name} | {megabytes:.1f} | " + " | ".join(f"{speed:,.0f}" for speed in speeds) + " |")


def _encoder(checkpoint: Path | None) -> tuple[IdentityEncoder, Preprocessing]:
    if checkpoint is not None:
        content = read_torch(checkpoint, "name a checkpoint of this program")
        return load_encoder(content, str(checkpoint)).eval(), preprocessing_of(content, str(checkpoint))
    params = load_params(ROOT / "params.yaml")
    settings = section(params, "pretrain_encoder.encoder", EncoderSettings)
    size = int(params.value("prepare_data.height_px")), int(params.value("prepare_data.width_px"))
    return build_encoder(settings, 0).eval(), Preprocessing(*size)


def _formats(encoder: IdentityEncoder, prepared: Preprocessing, folder: Path) -> dict[str, tuple[Run, float]]:
    """What runs each format that can be written here, and its size in megabytes."""
    model = EmbeddingOnly(encoder).eval()
    weights = sum(one.numel() * one.element_size() for one in model.state_dict().values()) / 1e6
    made: dict[str, tuple[Run, float]] = {"torch": (lambda images: model(torch.from_numpy(images)), weights)}
    script = folder / "encoder.torchscript"
    export_torchscript(encoder, script, prepared, "")
    loaded = torch.jit.load(str(script))
    made["torchscript"] = (lambda images: loaded(torch.from_numpy(images)), _megabytes(script))
    graph, eight_bits = folder / "encoder.onnx", folder / "int8.onnx"
    export_encoder(encoder, graph, prepared, "")
    made["onnx"] = (_onnx(graph), _megabytes(graph))
    eight_bits.write_bytes(graph.read_bytes())
    quantise(eight_bits, _noise(folder, prepared))
    made["onnx, --int8"] = (_onnx(eight_bits), _megabytes(eight_bits))
    try:
        package = importlib.import_module("openvino")
    except ImportError:
        print("openvino is left out: the extra `openvino` is not installed")
        return made
    model_file = folder / "encoder.xml"
    export_openvino(encoder, model_file, prepared, "")
    compiled = package.Core().compile_model(str(model_file), "CPU", {**PRECISE, "INFERENCE_NUM_THREADS": 1})
    size = _megabytes(model_file) + _megabytes(model_file.with_suffix(".bin"))
    made["openvino"] = (lambda images: compiled([images]), size)
    return made


def _onnx(path: Path) -> Run:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"image": images})


def _noise(folder: Path, prepared: Preprocessing) -> ImageSet:
    """One picture, for a calibration whose ranges do not matter."""
    from PIL import Image

    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (*prepared.size_px, 3), dtype=np.uint8)).save(folder / "a.png")
    row = {"image_id": "a", "path": "a.png", "split": "train", "camera_id": 1, "status": "ok"}
    info = ManifestInfo("noise", "", *prepared.size_px, body="open")
    return ImageSet(folder, Manifest.from_rows([row], info))


def _speed(run: Run, prepared: Preprocessing, batch: int, num: int) -> float:
    """Images a second of CPU time, the best of REPEATS."""
    images = np.random.default_rng(0).standard_normal((batch, 3, *prepared.size_px)).astype(np.float32)
    best = float("inf")
    with torch.inference_mode():
        run(images)
        for _ in range(REPEATS):
            start = time.process_time()
            for _ in range(max(1, num // batch // REPEATS)):
                run(images)
            best = min(best, (time.process_time() - start) / max(1, num // batch // REPEATS))
    return batch / best


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


if __name__ == "__main__":
    main()
