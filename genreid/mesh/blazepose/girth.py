"""How stout a person is, by the area of the person's mask. B bodies."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.body.layout import NUM_BETAS
from genreid.mesh.accuracy import silhouettes
from genreid.mesh.mean_pose import mean_walking_pose
from genreid.mesh.shards import MeshEstimates

_CLOTHES = 0.24
"""By how much clothes, hair and bags make a person's area larger: log ratio, the median of drawn validation
crops.
"""
_TRUST = 0.5
"""Share of the remaining difference that is taken for the body's own."""
_MOST = 0.3
_LEAST_SHOWN = 0.5
"""A mask smaller than this share of the body says nothing of its girth."""
_PROBE_PX = 512


class Girth:
    """Changes the shape of bodies towards the area of their masks."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._by_beta = _area_by_beta(body)

    def corrected(self, found: MeshEstimates, masks: list[np.ndarray]) -> MeshEstimates:
        """The same with betas whose bodies fill their masks better. masks: B (h, w) uint8 at native size."""
        wanted = [self._wanted(found.select(np.array([row])), mask) for row, mask in enumerate(masks)]
        step = self._by_beta / self._by_beta.square().sum()
        betas = found.parameters.betas + torch.tensor(wanted).reshape(-1, 1) * step
        return replace(found, parameters=replace(found.parameters, betas=betas))

    def _wanted(self, one: MeshEstimates, mask: np.ndarray) -> float:
        """Change of the log area that a mask asks for. One at a time: nobody's shape hangs on the others'."""
        height, width = (np.array([side]) for side in mask.shape)
        own = int(silhouettes(one, self._body, height, width)[0].sum())
        shown = int((mask > 127).sum())
        if own == 0 or shown < _LEAST_SHOWN * own:
            return 0.0
        return _TRUST * max(-_MOST, min(_MOST, math.log(shown / own) - _CLOTHES))


def _area_by_beta(body: Body) -> Tensor:
    """(10,) change of the log area of a body seen from the front, for one unit of each beta."""
    num = NUM_BETAS + 1
    parameters = BodyParameters(
        torch.tensor([[math.pi, 0.0, 0.0]]).expand(num, 3),
        mean_walking_pose().expand(num, -1),
        torch.cat([torch.zeros(1, NUM_BETAS), torch.eye(NUM_BETAS)]),
    )
    camera = torch.tensor([[0.9, 0.0, 0.1]]).expand(num, 3)
    probes = MeshEstimates(["ok"] * num, np.ones(num, np.float32), parameters, camera)
    side = np.full(num, _PROBE_PX)
    areas = torch.tensor([float(covered.sum()) for covered in silhouettes(probes, body, side, side)])
    return (areas[1:] / areas[0]).log()
