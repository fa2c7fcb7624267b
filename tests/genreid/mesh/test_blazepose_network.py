"""BlazePose's own files on drawn persons, which no network was taught by."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from genreid.body.body import Body
from genreid.body.rotations import heading_deg, wrap_deg
from genreid.errors import GenreidError
from genreid.mesh.blazepose.estimator import BlazePoseEstimator
from genreid.mesh.blazepose.network import available_runner, open_network
from genreid.mesh.blazepose.squares import Square
from genreid.mesh.settings import BlazePoseSettings
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.settings import SyntheticSettings
from genreid.zoo.cache import place_of, state_of
from genreid.zoo.table import model_file

SIZE = next(
    (size for size in ("full", "heavy", "lite") if state_of(model_file(f"blazepose_{size}")) == "present"),
    None,
)
NEEDS_FILE = pytest.mark.skipif(
    SIZE is None, reason="no file of BlazePose is here: genreid models get blazepose_full"
)
MODEL = place_of(model_file(f"blazepose_{SIZE or 'full'}"))  # where the tests themselves look is elsewhere


@pytest.fixture(scope="module")
def estimator(body: Body) -> BlazePoseEstimator:
    settings = BlazePoseSettings(SIZE or "full", 0.34, "mean_pose")  # type: ignore[arg-type]
    return BlazePoseEstimator.open(settings, MODEL, body)


@pytest.fixture(scope="module")
def benchmark(body: Body) -> Benchmark:
    return Benchmark(body, SyntheticSettings(2, 0, 3, 2, 4, 4, 128, 64), 3)


@NEEDS_FILE
def test_drawn_persons_are_found_and_mostly_the_right_way_round(
    estimator: BlazePoseEstimator, benchmark: Benchmark
) -> None:
    scenes = [benchmark.render(shot) for shot in benchmark.shots if shot.person_id > 0][:8]
    found = estimator.estimate([""] * len(scenes), [scene.image for scene in scenes])
    assert found.status == ["ok"] * len(scenes) and (found.score > 0.5).all()
    true = torch.tensor([scene.heading_deg for scene in scenes])
    off = wrap_deg(heading_deg(found.parameters.global_orient) - true).abs()
    assert off.median() < 15 and (off < 45).sum() >= len(scenes) - 1, off
    for row, scene in enumerate(scenes):
        mask = found.mask(row)
        assert mask is not None and mask.shape == (128, 64)
        person, drawn = mask >= 128, scene.silhouette > 0
        assert (person & drawn).sum() / (person | drawn).sum() > 0.5


@NEEDS_FILE
def test_what_odd_pictures_get(estimator: BlazePoseEstimator, benchmark: Benchmark) -> None:
    rng = np.random.default_rng(0)
    person, other = (
        benchmark.render(shot).image for shot in [s for s in benchmark.shots if s.person_id > 0][:2]
    )
    wall = np.full((128, 64, 3), 90, np.uint8)
    wall[60:], wall[:60, ::8] = 150, 30
    shades = np.repeat(np.linspace(0, 255, 128).astype(np.uint8), 64 * 3).reshape(128, 64, 3)
    expected = {
        "upright": (person, "ok"),
        "two persons": (np.concatenate([person, other], axis=1), "ok"),
        "cut at the knees": (person[:92], "ok"),
        # The network knows nobody on the head: it makes somebody upright of them, and is not sure of it.
        "upside down": (person[::-1].copy(), "ok"),
        "noise": (rng.integers(0, 256, (128, 64, 3), np.uint8), "no_person"),
        "a wall": (wall, "no_person"),
        "shades of grey": (shades, "no_person"),
        "black": (np.zeros((128, 64, 3), np.uint8), "failed"),
        "grey": (np.full((128, 64, 3), 128, np.uint8), "failed"),
        "4 by 8": (cv2.resize(person, (4, 8)), "failed"),
        "1 by 200": (cv2.resize(person, (200, 1)), "failed"),
        "200 by 1": (cv2.resize(person, (1, 200)), "failed"),
    }
    found = estimator.estimate([""] * len(expected), [image for image, _ in expected.values()])
    assert dict(zip(expected, found.status, strict=True)) == {
        name: status for name, (_, status) in expected.items()
    }
    score = dict(zip(expected, found.score, strict=True))
    assert score["upside down"] < 0.5 < score["upright"]
    parts = found.parameters.global_orient, found.parameters.body_pose, found.parameters.betas, found.camera
    assert all(torch.isfinite(part).all() for part in parts) and np.isfinite(found.score).all()


@NEEDS_FILE
def test_both_runners_say_the_same(benchmark: Benchmark) -> None:
    if available_runner() == "opencv":
        pytest.skip("ai-edge-litert is not installed")
    image = benchmark.render(benchmark.shots[0]).image
    square = Square.around(*image.shape[:2]).cut(image)
    one, other = (open_network(MODEL, runner).look(square) for runner in ("litert", "opencv"))
    np.testing.assert_allclose(one.image, other.image, atol=0.05)
    np.testing.assert_allclose(one.world, other.world, atol=1e-3)
    np.testing.assert_allclose(one.peak, other.peak, atol=1e-2)
    np.testing.assert_allclose(one.mask, other.mask, atol=0.05)


@pytest.mark.parametrize("runner", ["litert", "opencv"])
@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", b"\x1c\x00\x00\x00TFL3" + bytes(100)])
def test_a_file_that_is_no_network_is_told_in_one_line(tmp_path: Path, runner: str, content: bytes) -> None:
    if runner == "litert" and available_runner() != "litert":
        pytest.skip("ai-edge-litert is not installed")
    path = tmp_path / "blazepose_full.tflite"
    path.write_bytes(content)
    with pytest.raises(GenreidError, match=r"blazepose_full\.tflite: \w+ cannot run it") as told:
        open_network(path, runner)  # type: ignore[arg-type]
    assert "\n" not in str(told.value)
