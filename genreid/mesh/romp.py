"""ROMP (Sun et al. 2021, arXiv 2008.12272) as a mesh estimator, for photographs. B images.

The network and its reading of the centre map are those of the package `simple-romp` 1.1.4; the weights and
SMPL are files that the user brings. Importing that package as it is downloads what it misses and installs
packages by `pip`: here its modules are loaded under another name, past its `__init__`, and only when all
files are known to be there.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.body.files import SMPL_URL, read_body_file
from genreid.body.layout import NUM_BETAS, NUM_JOINTS
from genreid.body.rotations import matrix_to_axis_angle, rotation_6d_to_matrix
from genreid.errors import GenreidError, is_of_machine, why_not_loaded
from genreid.mesh.settings import RompSettings
from genreid.mesh.shards import MeshEstimates
from genreid.mistaken import mistaken_for
from genreid.packed import why_not_torch

INPUT_PX = 512
MAP_CELLS = 64
WEIGHTS_URL = "https://github.com/Arthur151/ROMP/releases/download/V2.0/ROMP.pkl"
PACKAGE, VERSION = "simple-romp", "1.1.4"

_INSTALL = (
    "run `make romp`, or pip install cython setuptools, then pip install --no-build-isolation "
    f"{PACKAGE}=={VERSION}"
)
_ALIAS = "_genreid_romp"
_BATCH_SIZE = 8
_NUM_ROTATIONS = 22  # root and 21 joints: ROMP leaves the hands straight
_SAME_BODY_M = 1e-3


Part = Literal["package", "weights", "smpl"]
"""What ROMP is made of."""


def missing_parts(settings: RompSettings) -> dict[Part, str]:
    """Which parts of ROMP are missing, and for each a line with what to do. It imports nothing."""
    missing: dict[Part, str] = {}
    if problem := _problem_of_package():
        missing["package"] = f"{problem}: {_INSTALL}"
    if not Path(settings.weights).is_file():
        missing["weights"] = (
            f"mesh_extract.romp.weights: there is no file '{settings.weights}'; it is ROMP.pkl from "
            f"{WEIGHTS_URL}: put it there, or name its place in params.yaml"
        )
    if not Path(settings.smpl).is_file():
        missing["smpl"] = (
            f"mesh_extract.romp.smpl: there is no file '{settings.smpl}'; it is SMPL's neutral body from "
            f"{SMPL_URL} (.pkl, .npz, or .pth as simple-romp packs it): put it there, or name its place in "
            "params.yaml"
        )
    files: dict[Part, str] = {"weights": settings.weights, "smpl": settings.smpl}
    for part, path in files.items():
        if what := mistaken_for(Path(path)):
            missing[part] = f"mesh_extract.romp.{part}: '{path}' is {what}"
    return missing


def check_files(settings: RompSettings) -> None:
    """Raise GenreidError, with what to do, for the first thing that ROMP lacks. It imports nothing."""
    for line in missing_parts(settings).values():
        raise GenreidError(line)


def _problem_of_package() -> str | None:
    if importlib.util.find_spec("romp") is None:
        return f"the estimator romp needs the package {PACKAGE}, which is not installed"
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:  # on the path without having been installed
        return None
    return None if version == VERSION else f"{PACKAGE} {version} is installed, and {VERSION} is expected"


class RompEstimator:
    """ROMP as a `MeshEstimator`. The score is the confidence of the person's centre.

    An image without a confident centre is `no_person`; with an answer that is not finite, `failed`.
    """

    name = "romp"

    def __init__(self, settings: RompSettings, body: Body, device: torch.device) -> None:
        """Raises GenreidError where a file is missing or damaged, or `body` is not ROMP's SMPL."""
        check_files(settings)
        arrays = read_body_file(Path(settings.smpl))
        _check_same_body(Body(arrays), body, settings.smpl)
        self._settings, self._device = settings, device
        pelvis = torch.from_numpy(arrays["J_regressor"][0])
        self._pelvis = pelvis @ torch.from_numpy(arrays["v_template"])
        self._pelvis_by_beta = torch.einsum("v,vck->kc", pelvis, torch.from_numpy(arrays["shapedirs"]))
        self._network = _load_network(Path(settings.weights)).to(device)
        least = min(settings.center_threshold, settings.small_crop_threshold)
        self._center_map = _package("post_parser").CenterMap(conf_thresh=least)

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        """See `MeshEstimator`."""
        result = MeshEstimates.without_mesh(["no_person"] * len(images))
        for start in range(0, len(images), _BATCH_SIZE):
            batch = list(images[start : start + _BATCH_SIZE])
            index, found = self._find(batch)
            result = result.fill(start + index, found)
        return result

    @torch.inference_mode()
    def _find(self, images: list[np.ndarray]) -> tuple[np.ndarray, MeshEstimates]:
        """Positions of the images in which somebody was found, and the bodies there."""
        pixels = torch.from_numpy(np.stack([square_input(image) for image in images])).float()
        center_maps, maps = self._network(pixels.to(self._device))
        of_image, cell, _, score = self._center_map.parse_centermap(center_maps)
        sizes = [image.shape[:2] for image in images]
        index, chosen = self._choose(of_image.cpu().numpy(), cell.cpu().numpy(), score.cpu().numpy(), sizes)
        answers = maps.flatten(2)[of_image[chosen], :, cell[chosen]].float().cpu()
        parameters, camera = read_answers(answers)
        pelvis = self._pelvis + parameters.betas @ self._pelvis_by_beta
        camera = to_native_camera(camera, pelvis, [sizes[i] for i in index])
        whole = torch.isfinite(answers).all(dim=1) & torch.isfinite(camera).all(dim=1)
        status = ["ok" if good else "failed" for good in whole]
        found = MeshEstimates(status, score[chosen].cpu().numpy().astype(np.float32), parameters, camera)
        good = whole.numpy()
        nothing = MeshEstimates.without_mesh(status)
        return index, nothing.fill(np.flatnonzero(good), found.select(good))

    def _choose(
        self, of_image: np.ndarray, cell: np.ndarray, score: np.ndarray, sizes: list[tuple[int, int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of all candidates the best of each image: positions of the images, rows of the candidates."""
        settings = self._settings
        place = (np.stack([cell % MAP_CELLS, cell // MAP_CELLS], axis=1) + 0.5) / MAP_CELLS * 2 - 1
        worth = score - settings.distance_weight * np.hypot(*place.T)
        index, chosen = [], []
        for i, size in enumerate(sizes):
            small = max(size) < settings.small_crop_px
            threshold = settings.small_crop_threshold if small else settings.center_threshold
            rows = np.flatnonzero((of_image == i) & (score > threshold))
            if len(rows):
                index.append(i)
                chosen.append(rows[worth[rows].argmax()])
        return np.array(index, np.int64), np.array(chosen, np.int64)


def square_input(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB → (512, 512, 3): black to both sides up to a square, then resized."""
    side = max(image.shape[:2])
    top, left = _margins(*image.shape[:2])
    square = np.zeros((side, side, 3), np.uint8)
    square[top : top + image.shape[0], left : left + image.shape[1]] = image
    return cv2.resize(square, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_CUBIC)


def read_answers(answers: Tensor) -> tuple[BodyParameters, Tensor]:
    """What ROMP says in P cells (P, 145): parameters, and its camera (P, 3).

    A cell holds log₁.₁ s, t_x, t_y; 22 rotations as two columns each, the columns' entries in turn; betas.
    ROMP's camera frame is ours: its root already holds the turn from y up to y down.
    """
    camera, rotations, betas = answers.split([3, 6 * _NUM_ROTATIONS, NUM_BETAS], dim=1)
    camera = torch.cat([1.1 ** camera[:, :1], camera[:, 1:]], dim=1)
    columns = rotations.unflatten(1, (_NUM_ROTATIONS, 3, 2))
    turns = matrix_to_axis_angle(rotation_6d_to_matrix(torch.cat([columns[..., 0], columns[..., 1]], dim=2)))
    hands = turns.new_zeros(len(turns), NUM_JOINTS - _NUM_ROTATIONS, 3)
    pose = torch.cat([turns[:, 1:], hands], dim=1)
    return BodyParameters(turns[:, 0].contiguous(), pose.flatten(1), betas.contiguous()), camera


def to_native_camera(camera: Tensor, pelvis: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """ROMP's camera → the weak perspective of `genreid.body.camera`. P persons.

    ROMP projects SMPL's own coordinates, s·X + t over the padded square; ours are relative to the pelvis,
    which SMPL leaves where its shape puts it, and the square's margins are rounded down to whole pixels.

    Args:
        camera: (P, 3) s, t_x, t_y. pelvis: (P, 3) of each shape. sizes: P native (height, width).
    """
    shifts = []
    for height, width in sizes:
        top, left = _margins(height, width)
        side = max(height, width)
        shifts.append([1 - (2 * left + width) / side, 1 - (2 * top + height) / side])
    shift = camera.new_tensor(shifts).reshape(-1, 2)
    return torch.cat([camera[:, :1], pelvis[:, :2] + (camera[:, 1:] + shift) / camera[:, :1]], dim=1)


def _margins(height: int, width: int) -> tuple[int, int]:
    side = max(height, width)
    return (side - height) // 2, (side - width) // 2


def _package(name: str) -> Any:
    """A module of simple-romp, without its package's `__init__`. Raises GenreidError where it fails."""
    if _ALIAS not in sys.modules:
        spec = importlib.util.find_spec("romp")
        assert spec is not None and spec.submodule_search_locations is not None
        alias = types.ModuleType(_ALIAS)
        alias.__path__ = list(spec.submodule_search_locations)
        sys.modules[_ALIAS] = alias
    try:
        return importlib.import_module(f"{_ALIAS}.{name}")
    except ImportError as error:  # something that it needs is gone, or was built for another NumPy
        raise GenreidError(f"{PACKAGE} is installed and does not import ({error}): {_INSTALL}") from error


def _load_network(path: Path) -> torch.nn.Module:
    remedy = f"get ROMP.pkl anew from {WEIGHTS_URL}"
    try:
        if what := why_not_torch(path):
            raise OSError(what)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises a dozen kinds for a file that is not its own
        if is_of_machine(error):
            raise
        raise GenreidError(
            f"'{path}' holds no weights of ROMP ({why_not_loaded(error)}): {remedy}"
        ) from error
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its name
        network = _package("model").ROMPv1().eval()
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise GenreidError(f"'{path}' holds other weights than ROMP's: {remedy}") from error
    return network


def _check_same_body(own: Body, body: Body, place: str) -> None:
    """ROMP's shapes mean something for its own SMPL alone."""
    if own.template.shape == body.template.shape:
        probes = torch.cat([torch.zeros(1, NUM_BETAS), torch.eye(NUM_BETAS)])
        still = torch.zeros(len(probes), 3 * NUM_JOINTS)
        parameters = BodyParameters(still[:, :3], still[:, 3:], probes)
        apart = own.pose(parameters).vertices - body.pose(parameters).vertices
        if apart.norm(dim=2).max() < _SAME_BODY_M:
            return
    raise GenreidError(
        f"romp finds the body in '{place}', and prepare_data.body is another one: set prepare_data.body to "
        f"'{place}', or to the file of SMPL's neutral body that it was packed from"
    )
