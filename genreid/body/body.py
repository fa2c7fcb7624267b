"""A body in SMPL's layout: parameters in, posed vertices and joints out.

This file holds the project's only use of `smplx`, imported when a body is loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genreid.body.files import read_body_file
from genreid.body.layout import JOINT_NAMES, NUM_BETAS, NUM_JOINTS, PART_NAMES
from genreid.body.parts import label_parts
from genreid.errors import GenreidError

OPEN_BODY_PATH = Path(__file__).parent / "assets" / "open_body.npz"


@dataclass(frozen=True)
class BodyParameters:
    """What a mesh estimator finds: SMPL's parameters of B persons. float32, axis-angle in radians.

    global_orient (B,3): R of the camera frame, (π,0,0) = upright and facing the camera;
    body_pose (B,69): the 23 joints after the pelvis; betas (B,10): shape, about N(0,1).
    """

    global_orient: Tensor
    body_pose: Tensor
    betas: Tensor

    def __post_init__(self) -> None:
        num = len(self.global_orient)
        for name, width in (("global_orient", 3), ("body_pose", 3 * (NUM_JOINTS - 1)), ("betas", NUM_BETAS)):
            shape = tuple(getattr(self, name).shape)
            if shape != (num, width):
                raise GenreidError(f"BodyParameters.{name} has shape {shape}; expected ({num}, {width})")

    def __len__(self) -> int:
        return len(self.global_orient)

    def select(self, index: Tensor | slice) -> BodyParameters:
        """Some of the persons, in the index's order."""
        return BodyParameters(self.global_orient[index], self.body_pose[index], self.betas[index])

    def to(self, device: torch.device | str) -> BodyParameters:
        """The same on another device."""
        return BodyParameters(self.global_orient.to(device), self.body_pose.to(device), self.betas.to(device))


@dataclass(frozen=True)
class PosedBody:
    """Posed bodies in the camera frame (x right, y down, z forward), metres, relative to the posed pelvis.

    vertices (B,V,3); joints (B,24,3), the pelvis at 0.
    """

    vertices: Tensor
    joints: Tensor


class Body:
    """A loaded body. V vertices, F faces.

    faces (F,3) int32, counter-clockwise seen from outside in a right-handed frame; template (V,3) float32,
    the mean shape in T-pose (y up, facing +z, left at +x); part_labels (V,) uint8 into part_names;
    fingerprint: 16 hexadecimal digits of the arrays' SHA-256.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]], device: torch.device | str = "cpu") -> None:
        self._model = _smplx_model(arrays).to(device)
        self.faces: NDArray[np.int32] = arrays["f"].astype(np.int32)
        self.template: NDArray[np.float32] = arrays["v_template"].astype(np.float32)
        self.part_labels = label_parts(self.template, self.faces, arrays["weights"])
        self.part_names = PART_NAMES
        self.joint_names = JOINT_NAMES
        self.fingerprint = _fingerprint(arrays)

    def pose(self, parameters: BodyParameters) -> PosedBody:
        """Pose B bodies (SMPL, eqs. 2 to 9, as smplx computes them); differentiable in all parameters."""
        posed = self._model(
            global_orient=parameters.global_orient, body_pose=parameters.body_pose, betas=parameters.betas
        )
        pelvis = posed.joints[:, :1]
        return PosedBody(vertices=posed.vertices - pelvis, joints=posed.joints - pelvis)


def load_body(name_or_path: str = "open") -> Body:
    """The embedded open body ("open"), or a file of SMPL's layout (see `genreid.body.files`).

    Raises GenreidError where the file is missing or is not a body.
    """
    path = OPEN_BODY_PATH if name_or_path == "open" else Path(name_or_path).expanduser()
    return Body(read_body_file(path))


class _RegressedJoints(torch.nn.Module):
    """Stands in for smplx's selector of extra joints: those are vertex numbers of SMPL's own mesh alone."""

    def forward(self, vertices: Tensor, joints: Tensor) -> Tensor:
        return joints


def _smplx_model(arrays: dict[str, NDArray[Any]]) -> torch.nn.Module:
    from smplx import SMPL
    from smplx.utils import Struct

    with contextlib.redirect_stdout(io.StringIO()):  # smplx prints a warning about ten shape coefficients
        model = SMPL(
            model_path="",
            data_struct=Struct(**arrays),
            create_betas=False,
            create_global_orient=False,
            create_body_pose=False,
            create_transl=False,
        )
    model.vertex_joint_selector = _RegressedJoints()
    if not arrays["posedirs"].any():
        # One zero offset broadcasts over all vertices: the same result without the largest matrix product.
        model.posedirs = torch.zeros(len(model.posedirs), 3)
    return model.requires_grad_(False)


def _fingerprint(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(str(arrays[name].shape).encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()[:16]
