"""Exported files other than ONNX, and ONNX in eight bits, each run by its own runtime alone."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.data.transforms import normalise, resize
from genreid.deployment import exported, openvino, torchscript
from genreid.deployment.int8 import embed_by, quantise
from genreid.deployment.onnx import export_encoder, runner
from genreid.errors import GenreidError
from genreid.models.encoder import IdentityEncoder
from genreid.models.initialisation import build_encoder
from genreid.preprocessing import Preprocessing
from tests.genreid.models.small import encoder_settings

SIZE = 32, 16
PREPARED = Preprocessing(*SIZE)


@pytest.fixture(scope="module")
def encoder() -> IdentityEncoder:
    network = build_encoder(encoder_settings(pooling="gem", embedding_dim=12), 0)
    network(torch.randn(8, 3, *SIZE))  # running statistics of its own
    return network.eval()


def test_torchscript_gives_torchs_embeddings_of_any_batch(encoder: IdentityEncoder, tmp_path: Path) -> None:
    path = tmp_path / "encoder.torchscript"
    assert torchscript.export_torchscript(encoder, path, PREPARED, "joint.pt") < 1e-6
    facts = {"genreid.preprocessing": "", "genreid.source": ""}
    loaded = torch.jit.load(str(path), _extra_files=facts)
    for num in (1, 2, 7):
        image = torch.randn(num, 3, *SIZE)
        with torch.no_grad():
            np.testing.assert_allclose(loaded(image), encoder(image).embedding, atol=1e-5)
    assert json.loads(facts["genreid.preprocessing"]) == exported.preprocessing(PREPARED)
    assert facts["genreid.source"] in ("joint.pt", b"joint.pt")


def test_a_difference_is_an_error(
    encoder: IdentityEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchscript, "largest_difference", lambda *_args: float("nan"))
    with pytest.raises(GenreidError, match=r"differs from torch by nan, more than 0.0001: TorchScript or"):
        torchscript.export_torchscript(encoder, tmp_path / "encoder.torchscript", PREPARED, "joint.pt")


def test_shapes_and_pixels_are_both_compared(encoder: IdentityEncoder) -> None:
    model = exported.EmbeddingOnly(encoder).eval()

    def off(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            rows = model(torch.from_numpy(images)).numpy().copy()
        rows[-1, -1] += 0.25 if len(images) > 1 else 0.0  # in one of the batches alone
        return rows

    assert exported.largest_difference(off, model, SIZE) == pytest.approx(0.25, abs=1e-5)
    assert exported.largest_difference(lambda images: off(images)[:1], model, SIZE) == float("inf")


def test_without_the_extra_the_error_names_it(
    encoder: IdentityEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(GenreidError, match=r"needs the package openvino .*'genreid\[openvino\]'"):
        openvino.export_openvino(encoder, tmp_path / "encoder.xml", PREPARED, "joint.pt")


@pytest.mark.slow
def test_openvino_gives_torchs_embeddings_of_any_batch(encoder: IdentityEncoder, tmp_path: Path) -> None:
    package = pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    path = tmp_path / "encoder.xml"
    assert openvino.export_openvino(encoder, path, PREPARED, "joint.pt") < 1e-5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["encoder.bin", "encoder.xml"]
    run = openvino.runner(package, path)
    for num in (1, 2, 7):
        image = torch.randn(num, 3, *SIZE)
        with torch.no_grad():
            np.testing.assert_allclose(run(image.numpy()), encoder(image).embedding, atol=1e-4)
    model = package.Core().read_model(str(path))
    stated = json.loads(model.get_rt_info("genreid.preprocessing").astype(str))
    assert stated == exported.preprocessing(PREPARED)


@pytest.mark.slow
def test_eight_bits_are_near_and_keep_what_the_file_says(encoder: IdentityEncoder, tmp_path: Path) -> None:
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    path, images = tmp_path / "encoder.onnx", image_set(tmp_path, 40)
    export_encoder(encoder, path, PREPARED, "joint.pt")
    whole = onnx.load(path)
    before = embed_by(runner(runtime, path), images)
    pictures = normalise(np.stack([resize(images.load_native(at), *SIZE) for at in range(40)]))
    with torch.no_grad():
        np.testing.assert_allclose(before, encoder(pictures).embedding.numpy(), atol=1e-4)

    assert quantise(path, images) == 40
    made = onnx.load(path)
    assert {one.key: one.value for one in made.metadata_props} == {
        one.key: one.value for one in whole.metadata_props
    }
    kinds = [node.op_type for node in made.graph.node]
    assert "QuantizeLinear" in kinds and kinds.count("Conv") >= 5
    eight_bits = [one for one in made.graph.initializer if one.data_type == onnx.TensorProto.INT8]
    assert sum(np.prod(one.dims) for one in eight_bits) > 0.9 * sum(
        parameter.numel() for parameter in encoder.parameters() if parameter.dim() > 1
    )
    after = embed_by(runner(runtime, path), images)
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, atol=1e-5)
    assert 0.9 < (before * after).sum(1).min() < 1 - 1e-7, "near, and not the same"


def image_set(folder: Path, num: int) -> ImageSet:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(num):
        name = f"{number:02d}.png"
        picture = cv2.resize(rng.integers(0, 256, (6, 3, 3), dtype=np.uint8), (20, 40))
        cv2.imwrite(str(folder / name), picture)
        rows.append({"image_id": name, "path": name, "split": "train", "camera_id": 1, "status": "ok"})
    return ImageSet(folder, Manifest.from_rows(rows, ManifestInfo("noise", "", *SIZE, body="open")))
