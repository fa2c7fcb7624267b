"""What `export` writes, in BoxMOT: in an environment of its own, by the programs of the documentation.

BoxMOT is under the AGPL and wants older packages than this program: nothing here imports it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from genreid.data.transforms import normalise
from genreid.models.checkpoint import load_encoder
from tests.stages.small_project import SmallProject
from tests.stages.using.test_using import DOCUMENT, blocks
from tests.stages.using.trained_project import HEIGHT_PX, WIDTH_PX, trained

__all__ = ["trained"]

PACKAGES = ["boxmot==25.0.0", "onnxruntime==1.24.3", "trackeval==1.3.0"]
"""BoxMOT's own pin of onnxruntime: with another it would install one while it runs."""
INSTALL_S, RUN_S = 420, 200
WEIGHTS = ("encoder.onnx", "encoder.torchscript")
NUM_FRAMES, NUM_PERSONS = 12, 3
FEATURES = """
import sys
import cv2, numpy as np
from boxmot.reid.core.runtime import ReID
boxes, frame = np.load("boxes.npy"), cv2.imread("frame.png")
for weights in sys.argv[1:]:
    np.save(weights + ".npy", ReID(weights, device="cpu").model.get_features(boxes, frame))
"""


@pytest.fixture(scope="module")
def boxmot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with BoxMOT; what this one has besides (torch) is used again."""
    place = tmp_path_factory.mktemp("boxmot")
    python = place / "bin" / "python"
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", place], check=True, timeout=INSTALL_S, capture_output=True
        )
        own = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        (Path(own) / "zz_outer.pth").write_text(sysconfig.get_path("purelib") + "\n")
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        subprocess.run(command, check=True, timeout=INSTALL_S, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        pytest.skip(
            f"BoxMOT cannot be installed here: {(error.stderr or 'no venv').strip().splitlines()[-1]}"
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"BoxMOT was not installed within {INSTALL_S} s")
    return python


def run(python: Path, folder: Path, program: str, *arguments: str) -> str:
    """A program in the folder, without this project on its path; what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", program, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=RUN_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def walkers(clip: Path) -> None:
    """Boxes of colour that cross, in the layout of MOTChallenge: 120 × 160 pixels a frame."""
    for place in ("img1", "gt", "det"):
        (clip / place).mkdir(parents=True)
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (NUM_PERSONS, 2, 3), dtype=np.uint8)
    truth, found = [], []
    for number in range(1, NUM_FRAMES + 1):
        frame = np.full((120, 160, 3), 90, np.uint8)
        for person in range(NUM_PERSONS):
            left = 10 + 9 * number if person == 0 else 130 - 8 * number - 5 * person
            top = 10 + 18 * person
            frame[top : top + 25, left : left + 20] = colours[person, 0]
            frame[top + 25 : top + 50, left : left + 20] = colours[person, 1]
            truth.append(f"{number},{person + 1},{left},{top},20,50,1,1,1\n")
            found.append(f"{number},-1,{left},{top},20,50,0.9,-1,-1,-1\n")
        cv2.imwrite(str(clip / "img1" / f"{number:06d}.png"), frame)
    (clip / "gt" / "gt.txt").write_text("".join(truth))
    (clip / "det" / "det.txt").write_text("".join(found))
    (clip / "seqinfo.ini").write_text(f"[Sequence]\nname=clip\nimDir=img1\nseqLength={NUM_FRAMES}\n")


def expected_features(folder: Path, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Torch's embeddings of the crops that BoxMOT cuts, resized as BoxMOT does: edges rounded, bilinear."""
    crops = []
    for left, top, right, bottom in np.rint(boxes).astype(int):
        crop = frame[max(0, top) : bottom, max(0, left) : right]
        crops.append(cv2.resize(crop, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_LINEAR))
    encoder = load_encoder(torch.load(folder / "models" / "joint.pt", weights_only=True)).eval()
    with torch.no_grad():
        return encoder(normalise(np.stack(crops)[..., ::-1])).embedding.numpy()


@pytest.mark.slow
def test_boxmot_embeds_as_we_do_and_tracks(trained: SmallProject, boxmot: Path) -> None:
    folder = trained.folder
    assert trained.run("export").code == 0
    assert trained.run("export", "--format", "torchscript").code == 0
    rng = np.random.default_rng(3)
    frame = cv2.resize(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8), (160, 120))
    boxes = np.array([[10.4, 20.6, 50, 110], [-7, 3, 30, 60], [100, 60, 175, 119]], np.float32)
    cv2.imwrite(str(folder / "frame.png"), frame)
    np.save(folder / "boxes.npy", boxes)
    run(boxmot, folder, FEATURES, *WEIGHTS)
    expected = expected_features(folder, frame, boxes)
    for weights in WEIGHTS:
        np.testing.assert_allclose(np.load(folder / f"{weights}.npy"), expected, atol=1e-4, err_msg=weights)

    walkers(folder / "walk")
    track, score = blocks("py", DOCUMENT)
    for name, weights in {"without": "none", "with": "encoder.onnx", "script": "encoder.torchscript"}.items():
        run(boxmot, folder, track, "walk", weights, f"results/{name}/walk.txt")
    scores = dict(re.findall(r"^(\w+): IDF1 ([\d.]+)$", run(boxmot, folder, score, "walk"), re.MULTILINE))
    assert set(scores) == {"without", "with", "script"}
    assert all(float(value) > 50 for value in scores.values()), scores
    assert scores["with"] == scores["script"]


def test_the_documentation_installs_the_version_that_is_tested() -> None:
    assert f"'boxmot[onnx,trackeval]=={PACKAGES[0].partition('==')[2]}'" in DOCUMENT.read_text()
