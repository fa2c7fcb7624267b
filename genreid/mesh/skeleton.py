"""Joints of a body without its skin: enough for a loss, at a hundredth of the cost. B bodies."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.body.layout import NUM_BETAS, NUM_JOINTS, PARENTS


def _levels() -> tuple[list[list[int]], list[list[int]]]:
    """Joints by their number of ancestors: those of a level move at once. Then, for all but the root's level,
    each joint's parent's place in the level before.
    """
    levels = [[0]]
    while len(joints := [joint for joint in range(NUM_JOINTS) if PARENTS[joint] in levels[-1]]) > 0:
        levels.append(joints)
    return levels, [[above.index(PARENTS[j]) for j in level] for above, level in pairwise(levels)]


_LEVELS, _PARENT_PLACES = _levels()
# The place of each joint when the levels follow one another.
_PLACES = [[joint for level in _LEVELS for joint in level].index(joint) for joint in range(NUM_JOINTS)]


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
        return self.pose_with_frames(rotations, betas)[0]

    def pose_with_frames(self, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and (B, 24, 3, 3): how each joint's frame lies in the camera's."""
        bones = self.offset + torch.einsum("bk,kjc->bjc", betas, self.directions)
        turns, joints = rotations[:, :1], [torch.zeros_like(bones[:, :1])]
        frames = [turns]
        for level, parents in zip(_LEVELS[1:], _PARENT_PLACES, strict=True):
            turns = turns[:, parents]
            joints.append(joints[-1][:, parents] + (turns @ bones[:, level, :, None])[..., 0])
            turns = turns @ rotations[:, level]
            frames.append(turns)
        return torch.cat(joints, dim=1)[:, _PLACES], torch.cat(frames, dim=1)[:, _PLACES]
