"""The exported file, run by onnxruntime alone."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genreid.deployment import onnx as export
from genreid.deployment.exported import TOLERANCE
from genreid.errors import GenreidError
from genreid.models.encoder import IdentityEncoder
from genreid.models.initialisation import build_encoder
from genreid.preprocessing import Preprocessing
from tests.genreid.models.small import STANDARD_ENCODER, encoder_settings

SIZE = 32, 16
PREPARED = Preprocessing(*SIZE)


@pytest.fixture(scope="module")
def encoder() -> IdentityEncoder:
    network = build_encoder(encoder_settings(pooling="gem", embedding_dim=12), 0)
    network(torch.randn(8, 3, *SIZE))  # running statistics of its own
    return network.eval()


@pytest.mark.slow
def test_any_batch_gives_torchs_embeddings(encoder: IdentityEncoder, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "encoder.onnx"
    difference = export.export_encoder(encoder, path, PREPARED, "joint.pt")
    assert 0 <= difference < 1e-5
    assert [file.name for file in tmp_path.iterdir()] == ["encoder.onnx"], "one file holds all"
    session = onnxruntime.InferenceSession(str(path))
    for num in (1, 2, 7):
        image = torch.randn(num, 3, *SIZE)
        (found,) = session.run(None, {"image": image.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, encoder(image).embedding.numpy(), atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["genreid.source"] == "joint.pt"
    stated = json.loads(facts["genreid.preprocessing"])
    assert stated == export.preprocessing(PREPARED) and stated["mean"] == [0.485, 0.456, 0.406]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test_convnext", "test_vit"])
def test_networks_of_timm_are_exported_too(name: str, tmp_path: Path) -> None:
    settings = replace(STANDARD_ENCODER, backbone=name)
    network = build_encoder(settings, 0)
    network(torch.randn(4, 3, 64, 32))
    assert (
        export.export_encoder(network.eval(), tmp_path / "encoder.onnx", Preprocessing(64, 32), "a")
        < TOLERANCE
    )


def test_a_difference_is_an_error(
    encoder: IdentityEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.onnx, "export", lambda *_args, **_options: None)
    fake: Any = type("Fake", (), {"load": lambda _path: None})
    monkeypatch.setattr(export, "import_package", lambda _name: fake)
    monkeypatch.setattr(export, "state_facts", lambda *_args: None)
    monkeypatch.setattr(export, "_difference", lambda *_args: 2e-4)
    with pytest.raises(GenreidError, match=r"differs from torch by 0.0002, more than 0.0001"):
        export.export_encoder(encoder, tmp_path / "encoder.onnx", PREPARED, "joint.pt")


def test_without_the_extra_the_error_names_it(
    encoder: IdentityEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(GenreidError, match=r"needs the package onnx .*pip install 'genreid\[export\]'"):
        export.export_encoder(encoder, tmp_path / "encoder.onnx", PREPARED, "joint.pt")
