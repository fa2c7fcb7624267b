"""Meshes made worse on purpose, to see how much of a gain hangs on their heading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from genreid.body.rotations import rotate_about_vertical
from genreid.mesh.shards import MeshEstimates
from genreid.seeding import numpy_rng


def with_heading_noise(
    estimates: MeshEstimates, image_ids: Sequence[str], noise_deg: float, seed: int
) -> MeshEstimates:
    """The same B bodies, each turned about its own vertical axis by a normal error of `noise_deg` degrees.

    The error of an image depends on `seed` and its id alone, whichever images stand beside it. Estimates are
    returned as they are where the noise is 0; rows without a mesh stay as they are.
    """
    if noise_deg == 0:
        return estimates
    turns = [numpy_rng(seed, "heading noise", image_id).normal(0.0, noise_deg) for image_id in image_ids]
    parameters = estimates.parameters
    turned = rotate_about_vertical(parameters.global_orient, torch.tensor(turns))
    global_orient = torch.where(torch.from_numpy(estimates.valid)[:, None], turned, parameters.global_orient)
    return replace(estimates, parameters=replace(parameters, global_orient=global_orient))
