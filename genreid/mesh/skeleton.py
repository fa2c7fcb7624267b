"""Joints of a body without its skin: enough for a loss, at a hundredth of the cost. B bodies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.body.layout import NUM_BETAS, NUM_JOINTS, PARENTS


def _levels() -> tuple[tuple[int, ...], ...]:
    """Joints by their number of ancestors; all joints of a level can be moved at once."""
    depth: list[int] = []
    for parent in PARENTS:
        depth.append(0 if parent < 0 else depth[parent] + 1)
    joints = range(NUM_JOINTS)
    return tuple(tuple(j for j in joints if depth[j] == level) for level in range(max(depth) + 1))


_LEVELS = _levels()


@dataclass(frozen=True)
class Skeleton:
    """Rest joints as a linear function of shape: offset (24, 3) from the parent, directions (10, 24, 3)."""

    offset: Tensor
    directions: Tensor

    @classmethod
    def of(cls, body: Body) -> Skeleton:
        """Read off `body`: SMPL's joints are linear in betas (Loper et al. 2015, equation 10)."""
        probes = torch.cat([torch.zeros(1, NUM_BETAS), torch.eye(NUM_BETAS)])
        still = torch.zeros(len(probes), 3 * NUM_JOINTS)
        joints = body.pose(BodyParameters(still[:, :3], still[:, 3:], probes)).joints
        parents = torch.tensor(PARENTS[1:])
        bones = torch.cat([joints[:, :1], joints[:, 1:] - joints[:, parents]], dim=1)
        return cls(bones[0], bones[1:] - bones[0])

    def to(self, device: torch.device) -> Skeleton:
        return Skeleton(self.offset.to(device), self.directions.to(device))

    def pose(self, rotations: Tensor, betas: Tensor) -> Tensor:
        """Joints (B, 24, 3) in metres, the pelvis at 0.

        rotations (B, 24, 3, 3): the root in the camera frame, then each joint relative to its parent.
        """
        bones = self.offset + torch.einsum("bk,kjc->bjc", betas, self.directions)
        turns: dict[int, Tensor] = {0: rotations[:, 0]}
        joints: dict[int, Tensor] = {0: torch.zeros_like(bones[:, 0])}
        for level in _LEVELS[1:]:
            parents = [PARENTS[joint] for joint in level]
            turn = torch.stack([turns[parent] for parent in parents], dim=1)
            moved = (turn @ bones[:, list(level), :, None])[..., 0]
            onward = turn @ rotations[:, list(level)]
            for place, joint in enumerate(level):
                joints[joint] = joints[PARENTS[joint]] + moved[:, place]
                turns[joint] = onward[:, place]
        return torch.stack([joints[joint] for joint in range(NUM_JOINTS)], dim=1)
