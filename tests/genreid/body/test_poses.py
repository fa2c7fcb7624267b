from __future__ import annotations

import numpy as np
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.poses import SWING, WALK, Habit, Pose, sample_habit, sample_pose


def posed_joints(body: Body, poses: list[Pose]) -> np.ndarray:
    num = len(poses)
    pose = torch.from_numpy(np.stack([p.body_pose() for p in poses]))
    return body.pose(BodyParameters(torch.zeros(num, 3), pose, torch.zeros(num, 10))).joints.numpy()


def sampled(num: int, breadth: float = 1.0) -> list[Pose]:
    rng = np.random.default_rng(0)
    return [sample_pose(rng, sample_habit(rng), breadth) for _ in range(num)]


def test_arms_hang_and_legs_carry(body: Body) -> None:
    poses = sampled(60)
    joints = posed_joints(body, poses)
    height = joints[..., 1]
    for side, kind in ((0, "left_arm"), (1, "right_arm")):
        hangs = [k for k, pose in enumerate(poses) if getattr(pose, kind) == SWING]
        assert len(hangs) > 20
        assert (height[hangs, 20 + side] < height[hangs, 16 + side] - 0.3).all()
    assert (height[:, 7] < -0.5).all()
    assert (height[:, 8] < -0.5).all()
    # The head stays over the feet: nobody falls.
    feet = 0.5 * (joints[:, 7] + joints[:, 8])
    assert np.abs(joints[:, 15] - feet)[:, [0, 2]].max() < 0.45


def test_knees_bend_backwards_only(body: Body) -> None:
    joints = posed_joints(body, sampled(60))
    for hip, knee, ankle in ((1, 4, 7), (2, 5, 8)):
        thigh, shin = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
        # Bent to the back: the shin lies behind the thigh's line.
        bend = np.cross(thigh, shin)[:, 0]
        assert (bend > -0.012).all()


def test_walkers_swing_arms_against_legs(body: Body) -> None:
    habit = Habit(
        stride=1.0,
        arm_swing_deg=22.0,
        lean_deg=3.0,
        abduction_deg=9.0,
        toe_out_deg=5.0,
        loaded_hand=0,
        holds_strap=False,
    )
    rng = np.random.default_rng(2)
    poses = [sample_pose(rng, habit) for _ in range(200)]
    poses = [p for p in poses if p.gait == WALK and p.left_arm == p.right_arm == SWING]
    joints = posed_joints(body, poses)
    leg = joints[:, 7, 2] - joints[:, 8, 2]
    arm = joints[:, 20, 2] - joints[:, 21, 2]
    assert np.corrcoef(leg, arm)[0, 1] < -0.6
    assert np.abs(leg).max() > 0.45


def test_breadth_widens() -> None:
    usual, wide = (np.stack([p.body_pose() for p in sampled(80, breadth)]) for breadth in (1.0, 2.5))
    assert wide[:, 6:9].std() > 1.2 * usual[:, 6:9].std()
