"""How near estimated bodies are to the true ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.rotations import heading_deg, wrap_deg
from genreid.mesh.shards import MeshEstimates
from genreid.render.shading import image_points
from genreid.render.zbuffer import rasterise

FLIP_DEG = 135.0
"""A heading further off than this took the front for the back."""

_CHUNK = 64


@dataclass(frozen=True)
class MeshAccuracy:
    """What a set of estimates is worth. Medians over the `num` images that have a mesh in both.

    median_heading_error_deg: of the absolute heading error. flip_rate: share of headings more than `FLIP_DEG`
    off. median_vertex_error_mm: per image the mean distance of the vertices, both bodies with the pelvis at 0
    and scaled to a stature of one metre (a crop does not show how tall a person is), in mm. median_iou:
    intersection over union of the two bodies' silhouettes in the native crop. num_missing: images that have a
    true mesh and no estimated one; no other figure counts them.
    """

    median_heading_error_deg: float
    flip_rate: float
    median_vertex_error_mm: float
    median_iou: float
    num: int
    num_missing: int


def measure(
    estimates: MeshEstimates, truth: MeshEstimates, body: Body, height_px: np.ndarray, width_px: np.ndarray
) -> MeshAccuracy:
    """Compare N estimates with the truth of the same images in the same order.

    height_px, width_px: (N,) native sizes of the crops. All figures are NaN when no image has both meshes.
    """
    both = np.flatnonzero(estimates.valid & truth.valid)
    num_missing = int((truth.valid & ~estimates.valid).sum())
    if len(both) == 0:
        return MeshAccuracy(float("nan"), float("nan"), float("nan"), float("nan"), 0, num_missing)
    errors, overlaps = [], []
    for start in range(0, len(both), _CHUNK):
        rows = both[start : start + _CHUNK]
        found, true = estimates.select(rows), truth.select(rows)
        errors.append(vertex_errors_mm(found.parameters, true.parameters, body))
        overlaps.append(silhouette_ious(found, true, body, height_px[rows], width_px[rows]))
    heading_error = heading_errors_deg(estimates, truth)[both]
    return MeshAccuracy(
        median_heading_error_deg=float(np.median(heading_error)),
        flip_rate=float((heading_error > FLIP_DEG).mean()),
        median_vertex_error_mm=float(np.median(np.concatenate(errors))),
        median_iou=float(np.median(np.concatenate(overlaps))),
        num=len(both),
        num_missing=num_missing,
    )


def heading_errors_deg(estimates: MeshEstimates, truth: MeshEstimates) -> np.ndarray:
    """(N,) absolute difference of the headings, 0 to 180."""
    found = heading_deg(estimates.parameters.global_orient)
    true = heading_deg(truth.parameters.global_orient)
    return wrap_deg(found - true).abs().numpy()


def vertex_errors_mm(found: BodyParameters, true: BodyParameters, body: Body) -> np.ndarray:
    """(N,) mean distance of the vertices, pelvis on pelvis, at a stature of one metre."""
    vertices = [body.pose(p).vertices / _stature(body, p)[:, None, None] for p in (found, true)]
    return 1000 * (vertices[0] - vertices[1]).norm(dim=-1).mean(dim=-1).numpy()


def silhouette_ious(
    found: MeshEstimates, true: MeshEstimates, body: Body, height_px: np.ndarray, width_px: np.ndarray
) -> np.ndarray:
    """(N,) overlap of the drawn bodies; 0 where neither is inside the crop."""
    masks = [silhouettes(bodies, body, height_px, width_px) for bodies in (found, true)]
    pairs = zip(*masks, strict=True)
    return np.array([(a & b).sum() / max((a | b).sum(), 1) for a, b in pairs])


def _stature(body: Body, parameters: BodyParameters) -> torch.Tensor:
    """(N,) metres from sole to crown in T-pose."""
    upright = BodyParameters(
        torch.zeros_like(parameters.global_orient), torch.zeros_like(parameters.body_pose), parameters.betas
    )
    height = body.pose(upright).vertices[..., 1]
    return height.amax(dim=1) - height.amin(dim=1)


def silhouettes(
    bodies: MeshEstimates, body: Body, height_px: np.ndarray, width_px: np.ndarray
) -> list[np.ndarray]:
    """(h, w) bool of each of N bodies: the pixels of its native crop that it covers."""
    vertices = body.pose(bodies.parameters).vertices
    points = image_points(vertices, bodies.camera, height_px, width_px)
    return [
        rasterise(one, body.faces, int(height), int(width)).covered
        for one, height, width in zip(points, height_px, width_px, strict=True)
    ]
