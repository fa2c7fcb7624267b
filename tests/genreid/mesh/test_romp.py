"""ROMP: the package's real network under random weights, against the package's own single-image way."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import subprocess
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from genreid.body.body import Body, load_body
from genreid.body.camera import project
from genreid.errors import GenreidError
from genreid.mesh import romp
from genreid.mesh.estimator import build_estimator
from genreid.mesh.romp import (
    RompEstimator,
    check_files,
    missing_parts,
    read_answers,
    square_input,
    to_native_camera,
)

from ..licensed import smpl_arrays
from .romp_files import RompFiles, with_center_bias, write_files

CPU = torch.device("cpu")
NEEDS_ROMP = pytest.mark.skipif(
    importlib.util.find_spec("romp") is None, reason="simple-romp is not installed"
)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> RompFiles:
    return write_files(tmp_path_factory.mktemp("romp"), smpl_arrays(num_vertices=400))


@pytest.fixture(scope="session")
def body(files: RompFiles) -> Body:
    return load_body(str(files.smpl))


@pytest.fixture(scope="session")
def estimator(files: RompFiles, body: Body) -> RompEstimator:
    return RompEstimator(files.settings(), body, CPU)


def pictures() -> list[np.ndarray]:
    """Crops of several sizes, one with an odd margin, one landscape."""
    rng = np.random.default_rng(4)
    sizes = ((128, 64), (128, 61), (60, 96))
    return [cv2.resize(rng.integers(0, 256, (6, 4, 3), np.uint8), size[::-1]) for size in sizes]


# Without the package -----------------------------------------------------------------------------------


def test_what_is_missing_is_told_before_anything_is_imported(tmp_path: Path) -> None:
    weights, smpl = tmp_path / "ROMP.pkl", tmp_path / "SMPL_NEUTRAL.pth"
    settings = RompFiles(weights, smpl).settings()
    if importlib.util.find_spec("romp") is None:
        with pytest.raises(GenreidError, match="simple-romp, which is not installed: run `make romp`"):
            check_files(settings)
        return
    with pytest.raises(GenreidError, match=r"romp.weights: there is no file .*https://.*ROMP\.pkl") as error:
        RompEstimator(settings, load_body(), CPU)
    assert "\n" not in str(error.value) and str(weights) in str(error.value)
    weights.write_bytes(b"")
    with pytest.raises(GenreidError, match=r"romp.smpl: there is no file .*https://smpl\.is\.tue\.mpg\.de"):
        RompEstimator(settings, load_body(), CPU)


def test_without_the_package_one_line_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    settings = RompFiles(tmp_path / "a", tmp_path / "b").settings()
    with pytest.raises(GenreidError, match=r"run `make romp`, or pip install .*simple-romp==1\.1\.4"):
        check_files(settings)
    assert list(missing_parts(settings)) == ["package", "weights", "smpl"], "doctor tells all of them"


def test_another_version_of_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.0.1")
    with pytest.raises(GenreidError, match=r"simple-romp 2\.0\.1 is installed, and 1\.1\.4 is expected: run"):
        check_files(RompFiles(tmp_path / "a", tmp_path / "b").settings())


def test_a_package_that_does_not_import_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError("numpy.core.multiarray failed to import")

    monkeypatch.setitem(sys.modules, romp._ALIAS, types.ModuleType(romp._ALIAS))
    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(GenreidError, match=r"does not import \(numpy\.core.*\): run `make romp`"):
        romp._package("model")


def test_the_pelvis_and_the_margins_go_into_the_camera() -> None:
    # A crop 4 high and 1 wide: black to the left 1 (rounded down from 1.5), s 2, t 0, pelvis at x 0.1. The
    # pelvis lies at u = (2·0.1 + 1)·2 − 1 = 1.4 and v = 2.
    camera = to_native_camera(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.1, 0.0, 9.0]]), [(4, 1)])
    u, v = project(torch.zeros(1, 1, 3), camera, 4, 1)[0, 0].tolist()
    assert u == pytest.approx(1.4) and v == pytest.approx(2.0)


# With it -------------------------------------------------------------------------------------------------


@NEEDS_ROMP
def test_images_are_prepared_as_the_package_prepares_them() -> None:
    for image in pictures():
        expected, _ = romp._package("utils").img_preprocess(image[..., ::-1].copy())
        np.testing.assert_array_equal(square_input(image), expected[0].numpy())


def packages_own_answer(answers: torch.Tensor, files: RompFiles, size: tuple[int, int]) -> dict[str, Any]:
    """Parameters and joints in pixels of the native crop, by the package's functions alone."""
    parser, utils = romp._package("post_parser"), romp._package("utils")
    _, padding = utils.img_preprocess(np.zeros((*size, 3), np.uint8))
    maps = answers.clone()
    maps[:, 0] = torch.pow(1.1, maps[:, 0])
    outputs = parser.pack_params_dict(maps)
    outputs = parser.SMPL_parser(str(files.smpl))(outputs)
    outputs |= parser.body_mesh_projection2image(
        outputs["joints"], outputs["cam"], vertices=outputs["verts"], input2org_offsets=padding
    )
    return outputs


@NEEDS_ROMP
@pytest.mark.parametrize("size", [(128, 64), (128, 61), (61, 96), (7, 7)])
def test_joints_and_skin_fall_on_the_same_pixels_in_both_conventions(
    files: RompFiles, body: Body, size: tuple[int, int]
) -> None:
    rng = torch.Generator().manual_seed(2)
    answers = torch.randn(5, 145, generator=rng)
    answers[:, 1:3] *= 0.2
    theirs = packages_own_answer(answers, files, size)

    parameters, camera = read_answers(answers)
    arrays = smpl_arrays(num_vertices=400)
    rest = arrays["v_template"] + np.einsum("vck,bk->bvc", arrays["shapedirs"][..., :10], parameters.betas)
    pelvis = torch.from_numpy(np.einsum("v,bvc->bc", arrays["J_regressor"][0], rest)).float()
    camera = to_native_camera(camera, pelvis, [size] * 5)
    posed = body.pose(parameters)
    scale = max(size)
    for points, expected in (
        (posed.joints, theirs["pj2d_org"][:, :24]),
        (posed.vertices, theirs["verts_camed_org"]),
    ):
        pixels = project(points, camera, *size)
        np.testing.assert_allclose(pixels.numpy(), expected[..., :2].numpy(), atol=2e-5 * scale)
    np.testing.assert_allclose(
        torch.cat([parameters.global_orient, parameters.body_pose], 1).numpy(),
        theirs["smpl_thetas"].numpy(),
        atol=2e-3,
    )
    # The same turn from y up to y down: depth grows away from the camera in both.
    depth = (theirs["verts"] - theirs["joints"][:, :1])[..., 2]
    np.testing.assert_allclose(posed.vertices[..., 2].numpy(), depth.numpy(), atol=1e-4)


@NEEDS_ROMP
@pytest.mark.slow
def test_estimates_are_those_of_the_packages_single_image_way(
    files: RompFiles, body: Body, estimator: RompEstimator
) -> None:
    images = pictures()[1:]
    found = estimator.estimate(["a", "b"], images)
    assert found.status == ["ok"] * 2
    main = romp._package("post_parser")
    for i, image in enumerate(images):
        pixels, padding = romp._package("utils").img_preprocess(image[..., ::-1].copy())
        with torch.no_grad():
            centers, maps = estimator._network(pixels)
        maps[:, 0] = torch.pow(1.1, maps[:, 0])
        outputs = main.parsing_outputs(centers, maps, main.CenterMap(conf_thresh=0.1))
        outputs = main.SMPL_parser(str(files.smpl))(outputs)
        outputs |= main.body_mesh_projection2image(
            outputs["joints"], outputs["cam"], vertices=outputs["verts"], input2org_offsets=padding
        )
        center = (outputs["center_preds"].numpy() + 4) / 256 - 1
        score = outputs["center_confs"][:, 0].numpy()
        assert len(score) > 3
        best = int((score - 0.5 * np.hypot(*center.T)).argmax())
        assert found.score[i] == pytest.approx(score[best], abs=1e-4)
        joints = body.pose(found.select(np.array([i])).parameters).joints
        ours = project(joints, found.camera[i : i + 1], *image.shape[:2])[0].numpy()
        np.testing.assert_allclose(ours, outputs["pj2d_org"][best, :24].numpy(), atol=0.05)


@NEEDS_ROMP
def test_nobody_is_found_under_the_threshold(files: RompFiles, body: Body) -> None:
    images = pictures()[:1]
    nobody = RompEstimator(with_center_bias(files, -5.0).settings(), body, CPU).estimate(["a"], images)
    assert nobody.status == ["no_person"] and not nobody.valid.any() and nobody.score[0] == 0


def candidates(
    changes: dict[str, object],
    sizes: list[tuple[int, int]],
    cell: Sequence[int] = (64 * 2 + 32, 64 * 32 + 31, 64 * 30 + 32),
    score: Sequence[float] = (0.5, 0.3, 0.15),
) -> list[int]:
    """Rows chosen of three candidates: sure at the edge, less sure in the middle, hardly sure beside it.

    They are told by numbers alone: neither the package nor its weights are needed.
    """
    estimator = RompEstimator.__new__(RompEstimator)
    estimator._settings = RompFiles(Path("weights"), Path("smpl")).settings(**changes)
    of_image = np.zeros(len(cell), int)
    index, chosen = estimator._choose(of_image, np.array(cell), np.array(score, np.float32), sizes)
    assert index.tolist() == ([0] if len(chosen) else [])
    return chosen.tolist()


def test_the_best_person_is_sure_and_near_the_middle() -> None:
    small, large = [(128, 64)], [(512, 256)]
    assert candidates({}, small) == [1]
    assert candidates({"distance_weight": 0.0}, small) == [0]
    assert candidates({"distance_weight": 9.0}, small) == [1]
    assert candidates({"center_threshold": 0.4}, large) == [0]
    assert candidates({"center_threshold": 0.6}, large) == []
    assert candidates({"center_threshold": 0.6, "small_crop_threshold": 0.35}, small) == [0]


def test_opposite_cells_are_equally_far_from_the_middle() -> None:
    """Cell (10, 31) and cell (53, 32) of 64 × 64: who is surer by a ten-thousandth is taken."""
    opposite = (64 * 31 + 10, 64 * 32 + 53)
    assert candidates({}, [(128, 64)], opposite, (0.3, 0.3001)) == [1]
    assert candidates({}, [(128, 64)], opposite, (0.3001, 0.3)) == [0]


@NEEDS_ROMP
@pytest.mark.slow
def test_importing_it_downloads_nothing_and_prints_nothing(files: RompFiles, tmp_path: Path) -> None:
    """In a process of its own, with an empty home folder, where the package's own import would download."""
    code = f"""
import os, socket, subprocess, sys
from genreid.mesh import romp
def never(*arguments, **options): raise SystemExit(f"ran {{arguments}}")
os.system = subprocess.Popen = socket.socket = never
romp._load_network(romp.Path({str(files.weights)!r}))
assert "romp" not in sys.modules and "romp.main" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and list(tmp_path.iterdir()) == []


@NEEDS_ROMP
def test_another_body_than_romps_own_is_refused(files: RompFiles, body: Body) -> None:
    with pytest.raises(GenreidError, match=r"set prepare_data\.body to") as error:
        build_estimator("romp", load_body(), regressor=None, truth=None, romp=files.settings(), device=CPU)
    assert str(files.smpl) in str(error.value) and "\n" not in str(error.value)
    fatter = smpl_arrays(num_vertices=400)
    fatter["shapedirs"] = fatter["shapedirs"] * 1.5
    np.savez(files.smpl.with_name("male.npz"), allow_pickle=False, **fatter)
    with pytest.raises(GenreidError, match=r"prepare_data\.body is another one"):
        RompEstimator(files.settings(), load_body(str(files.smpl.with_name("male.npz"))), CPU)


@NEEDS_ROMP
def test_damaged_and_other_weights(files: RompFiles, body: Body, tmp_path: Path) -> None:
    cut, other = tmp_path / "cut.pkl", tmp_path / "other.pkl"
    cut.write_bytes(files.weights.read_bytes()[:1000])
    torch.save({"layer.weight": torch.zeros(3)}, other)
    for path, reason in ((cut, "holds no weights of ROMP"), (other, "holds other weights than ROMP's")):
        with pytest.raises(GenreidError, match=reason) as error, contextlib.redirect_stdout(io.StringIO()):
            RompEstimator(files.settings(weights=str(path)), body, CPU)
        assert "\n" not in str(error.value) and str(path) in str(error.value)
