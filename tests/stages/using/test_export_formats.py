"""`genreid export --format` and `--int8`, on tiny networks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch

from genreid.data.manifest import Manifest, ManifestInfo
from genreid.data.transforms import normalise, resize
from pipeline.artifacts import write_table
from tests.stages.small_project import SmallProject
from tests.stages.using.trained_project import HEIGHT_PX, WIDTH_PX, crop, embedding, trained

__all__ = ["trained"]


def test_torchscript_stands_beside_what_a_tracker_asks_for(trained: SmallProject) -> None:
    outcome = trained.run("export", "--format", "torchscript")
    assert outcome.code == 0, outcome.err
    image = normalise(resize(crop(1), HEIGHT_PX, WIDTH_PX)[None])
    found = torch.jit.load("encoder.torchscript")(image)[0].detach()
    np.testing.assert_allclose(found, embedding(trained.folder, "joint.pt", 1), atol=1e-5)
    beside = json.loads(Path("encoder.torchscript.metadata.json").read_text())
    assert beside["model_kwargs"] == {"img_size": [HEIGHT_PX, WIDTH_PX]}
    assert beside["genreid.preprocessing"]["mean"] == [0.485, 0.456, 0.406]
    assert trained.run("export", "--format", "torchscript").code == 0, "it replaces its own files"


@pytest.mark.parametrize(
    ("arguments", "made", "message"),
    [
        (
            ("--format", "torchscript", "--int8"),
            "",
            "--int8 is of ONNX files: leave out --format torchscript",
        ),
        (("--format", "torchscript", "-o", "a.pt"), "", "a.pt: the name of a file of torchscript ends in"),
        (("--format", "torchscript"), "encoder.torchscript", "encoder.torchscript"),
        (
            ("--format", "torchscript"),
            "encoder.torchscript.metadata.json",
            "encoder.torchscript.metadata.json",
        ),
        (("--format", "openvino"), "encoder.bin", "encoder.bin"),
        (("--format", "openvino"), "encoder.xml", "encoder.xml"),
    ],
)
def test_mistakes_are_told_and_nothing_of_others_is_replaced(
    trained: SmallProject, arguments: tuple[str, ...], made: str, message: str
) -> None:
    if made:
        Path(made).write_text("<?xml of somebody else")
    outcome = trained.run("export", *arguments)
    assert outcome.code == 2 and outcome.err.startswith("error: ") and outcome.err.count("\n") == 1
    assert message in outcome.err
    assert not made or Path(made).read_text() == "<?xml of somebody else"


@pytest.mark.slow
def test_eight_bits_say_what_they_lose(trained: SmallProject) -> None:
    persons = {1: ("query", 1), 2: ("query", 1), 4: ("gallery", 2), 5: ("gallery", 2)}
    rows = [
        {
            "image_id": f"{number}",
            "path": f"{number}.png",
            "split": split,
            "camera_id": camera,
            "person_id": (number - 1) % 3 + 1,
            "status": "ok",
        }
        for number, (split, camera) in persons.items()
    ]
    rows += [{**row, "split": "train", "image_id": f"t{row['path']}", "person_id": None} for row in rows]
    images = trained.folder / "data" / "images"
    images.mkdir(parents=True, exist_ok=True)
    for number in persons:
        cv2.imwrite(str(images / f"{number}.png"), crop(number)[:, :, ::-1])
    info = ManifestInfo(
        "boxes", "data/images", height_px=64, width_px=32, body="open"
    )  # not the checkpoint's
    write_table(trained.folder / "data" / "manifest.parquet", Manifest.from_rows(rows, info).to_table())
    outcome = trained.run("export", "--int8")
    assert outcome.code == 0, outcome.err
    assert re.search(r"calibrated on\W+4 training images", outcome.out)
    assert re.search(
        r"mAP on test images\W+\d+\.\d\d, in eight bits \d+\.\d\d \([+-]\d+\.\d\d\)", outcome.out
    )
    assert any(node.op_type == "QuantizeLinear" for node in onnx.load("encoder_int8.onnx").graph.node)
