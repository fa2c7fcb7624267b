"""How people hold themselves: a walking cycle, standing, and what hands do with phones, bags and pockets.

Angles are degrees in the conventions of SMPL's T-pose (x to the body's left, y up, z forward): a thigh is
raised by a negative turn about x, a knee bends by a positive one, the left arm is lowered by a negative turn
about z and the right one by a positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.body.turns import after, axis_angles, tilt_turn_roll, turn_about

# SMPL's joints by number; body_pose starts at joint 1.
_L_HIP, _R_HIP, _SPINE1, _L_KNEE, _R_KNEE, _SPINE2, _L_ANKLE, _R_ANKLE, _SPINE3 = range(1, 10)
_L_FOOT, _R_FOOT, _NECK, _L_COLLAR, _R_COLLAR, _HEAD, _L_SHOULDER, _R_SHOULDER = range(10, 18)
_L_ELBOW, _R_ELBOW, _L_WRIST, _R_WRIST, _L_HAND, _R_HAND = range(18, 24)


def _cycle(*points: tuple[float, float]) -> np.ndarray:
    """(100,) samples of a periodic curve through (fraction of the cycle, degrees)."""
    at, value = np.array(points).T
    return np.interp(np.arange(100) / 100.0, at, value, period=1.0)


# Normal gait over one cycle from heel strike (fraction of the cycle, degrees), as textbooks of gait draw it.
_HIP_FLEXION = _cycle(
    (0.0, 27.0), (0.12, 23.0), (0.3, 8.0), (0.5, -11.0), (0.6, -6.0), (0.74, 17.0), (0.86, 29.0)
)
_KNEE_FLEXION = _cycle(
    (0.0, 5.0), (0.13, 17.0), (0.27, 10.0), (0.4, 5.0), (0.52, 14.0),
    (0.62, 40.0), (0.72, 60.0), (0.82, 42.0), (0.92, 10.0),
)  # fmt: skip
_ANKLE_DORSIFLEXION = _cycle(
    (0.0, 1.0), (0.07, -6.0), (0.3, 6.0), (0.46, 10.0), (0.56, -2.0), (0.63, -16.0), (0.75, -2.0), (0.87, 2.0)
)

WALK, STAND = "walk", "stand"
SWING, POCKET, CALL, TEXT, HOLD, STRAP = "swing", "pocket", "call", "text", "hold", "strap"


@dataclass(frozen=True)
class Pose:
    """A posture.

    Attributes:
        turns: (23, 3, 3) rotations of joints 1 to 23.
        gait: WALK or STAND.
        left_arm, right_arm: what each arm does.
    """

    turns: np.ndarray
    gait: str
    left_arm: str
    right_arm: str

    def body_pose(self) -> np.ndarray:
        """(69,) float32 axis-angle of joints 1 to 23, radians."""
        return axis_angles(self.turns).reshape(-1).astype(np.float32)


@dataclass(frozen=True)
class Habit:
    """How one person moves, whatever the camera.

    Attributes:
        stride: 1 for a normal step.  arm_swing_deg: amplitude.  lean_deg: of the trunk, forwards.
        abduction_deg: of the hanging arms from the vertical.  toe_out_deg: of the feet.
        loaded_hand: -1 right, +1 left, 0 none: the hand that carries a bag and hardly swings.
        holds_strap: a hand is often at the strap of a bag.
    """

    stride: float
    arm_swing_deg: float
    lean_deg: float
    abduction_deg: float
    toe_out_deg: float
    loaded_hand: int
    holds_strap: bool


def sample_habit(rng: np.random.Generator, loaded_hand: int = 0, holds_strap: bool = False) -> Habit:
    """The way of walking of a new person."""
    return Habit(
        stride=float(rng.uniform(0.65, 1.1)),
        arm_swing_deg=float(rng.uniform(8.0, 24.0)),
        lean_deg=float(rng.uniform(0.0, 7.0)),
        abduction_deg=float(rng.uniform(7.0, 13.0)),
        toe_out_deg=float(rng.uniform(2.0, 10.0)),
        loaded_hand=loaded_hand,
        holds_strap=holds_strap,
    )


def _curve(curve: np.ndarray, phase: float) -> float:
    """Value of a sampled cycle."""
    at = (phase % 1.0) * len(curve)
    low = int(at) % len(curve)
    return float(curve[low] + (at - int(at)) * (curve[(low + 1) % len(curve)] - curve[low]))


def sample_pose(rng: np.random.Generator, habit: Habit, breadth: float = 1.0) -> Pose:
    """One moment of somebody who walks by.

    Args:
        breadth: 1 for the benchmark; larger widens every variation (training of the regressor).
    """
    gait = WALK if rng.random() < 0.84 else STAND
    arms = [_sample_arm(rng, habit, side) for side in (1, -1)]
    if CALL in arms and TEXT in arms:
        arms[1] = SWING
    turns = np.tile(np.eye(3), (24, 1, 1))
    phase = rng.random()
    stride = habit.stride * rng.uniform(0.85, 1.12) if gait == WALK else 0.0
    _set_legs(turns, rng, habit, phase, stride, breadth)
    lean = habit.lean_deg * (0.6 + 0.4 * min(1.0, stride)) + breadth * rng.normal(0.0, 1.8)
    twist = -5.0 * stride * np.cos(2 * np.pi * phase) + breadth * rng.normal(0.0, 2.0)
    sway = breadth * rng.normal(0.0, 1.2)
    for joint, share in ((_SPINE1, 0.3), (_SPINE2, 0.35), (_SPINE3, 0.35)):
        turns[joint] = tilt_turn_roll(share * lean, share * twist, share * sway)
    nod = 16.0 if TEXT in arms else rng.normal(3.0, 4.0 * breadth)
    look = rng.normal(0.0, 9.0 * breadth) * (0.3 if TEXT in arms else 1.0)
    tilt = 7.0 * (1 if arms[0] == CALL else -1) if CALL in arms else rng.normal(0.0, 2.5 * breadth)
    turns[_NECK] = tilt_turn_roll(0.45 * nod - 0.4 * lean, 0.4 * look - 0.5 * twist, 0.4 * tilt)
    turns[_HEAD] = tilt_turn_roll(0.55 * nod - 0.3 * lean, 0.6 * look, 0.6 * tilt)
    for side, kind in zip((1, -1), arms, strict=True):
        _set_arm(turns, rng, habit, kind, side, phase, stride, breadth)
    return Pose(turns[1:], gait, arms[0], arms[1])


def _sample_arm(rng: np.random.Generator, habit: Habit, side: int) -> str:
    """What the arm of this side (+1 left) does."""
    if habit.loaded_hand == side:
        return HOLD
    strap = 0.22 if habit.holds_strap else 0.0
    chances = np.array([0.74 - strap, 0.11, 0.035, 0.07, 0.045, strap])
    return str(rng.choice([SWING, POCKET, CALL, TEXT, HOLD, STRAP], p=chances / chances.sum()))


def _set_legs(
    turns: np.ndarray, rng: np.random.Generator, habit: Habit, phase: float, stride: float, breadth: float
) -> None:
    """Hips, knees and ankles: the gait cycle scaled by the stride, or weight on one leg when standing."""
    relaxed = float(rng.choice([-1.0, 1.0])) if stride == 0.0 else 0.0
    joints = ((_L_HIP, _L_KNEE, _L_ANKLE, 1, phase + 0.5), (_R_HIP, _R_KNEE, _R_ANKLE, -1, phase))
    for hip, knee, ankle, side, at in joints:
        spread = rng.uniform(1.0, 5.0) if stride == 0.0 else rng.uniform(-1.5, 1.5)
        idle = max(0.0, relaxed * side) * rng.uniform(2.0, 14.0)
        flexion = stride * _curve(_HIP_FLEXION, at) + 0.6 * idle + breadth * rng.normal(0.0, 2.0)
        bend = max(0.0, stride**0.7 * _curve(_KNEE_FLEXION, at) + idle + breadth * rng.normal(1.0, 2.0))
        lift = stride * _curve(_ANKLE_DORSIFLEXION, at) + 0.4 * idle
        out = habit.toe_out_deg + breadth * rng.normal(0.0, 2.0)
        turns[hip] = after(
            turn_about(0, -flexion), after(turn_about(2, side * spread), turn_about(1, side * out))
        )
        turns[knee] = turn_about(0, bend)
        turns[ankle] = turn_about(0, -lift)


def _set_arm(
    turns: np.ndarray,
    rng: np.random.Generator,
    habit: Habit,
    kind: str,
    side: int,
    phase: float,
    stride: float,
    breadth: float,
) -> None:
    """Collar, shoulder, elbow and wrist of one arm (side +1 left, −1 right)."""
    collar, shoulder, elbow, wrist = (
        (_L_COLLAR, _L_SHOULDER, _L_ELBOW, _L_WRIST)
        if side > 0
        else (_R_COLLAR, _R_SHOULDER, _R_ELBOW, _R_WRIST)
    )
    # The arm swings against the leg of its own side.
    swing = np.cos(2 * np.pi * (phase + (0.5 if side > 0 else 0.0)))
    forward = -habit.arm_swing_deg * stride * swing + rng.normal(0.0, 2.5 * breadth)
    abduction = habit.abduction_deg + rng.normal(0.0, 2.0 * breadth)
    bend = 12.0 + 0.7 * max(0.0, forward) + rng.uniform(0.0, 12.0)
    inward, roll = 0.0, rng.normal(0.0, 6.0)
    if kind == POCKET:
        forward, abduction, bend, inward = rng.uniform(-22.0, -6.0), 14.0, rng.uniform(35.0, 52.0), 18.0
    elif kind == CALL:
        forward, abduction, bend, inward = rng.uniform(28.0, 42.0), 30.0, rng.uniform(138.0, 147.0), 2.0
    elif kind == TEXT:
        forward, abduction, bend, inward = rng.uniform(14.0, 30.0), 9.0, rng.uniform(78.0, 100.0), 34.0
    elif kind == HOLD:
        forward, bend = 0.25 * forward, rng.uniform(4.0, 16.0)
    elif kind == STRAP:
        forward, abduction, bend, inward = rng.uniform(2.0, 16.0), 16.0, rng.uniform(112.0, 128.0), 34.0
    drop = 90.0 - abduction
    turns[collar] = turn_about(2, -side * 0.14 * drop)
    lowered = after(turn_about(2, -side * 0.86 * drop), turn_about(0, roll + inward))
    turns[shoulder] = after(turn_about(0, -forward), lowered)
    turns[elbow] = turn_about(1, -side * bend)
    curl = rng.uniform(28.0, 60.0) if kind in (SWING, HOLD) else rng.uniform(15.0, 40.0)
    turns[_L_HAND if side > 0 else _R_HAND] = turn_about(2, -side * curl)
    turns[wrist] = tilt_turn_roll(rng.normal(0.0, 6.0), rng.normal(0.0, 6.0), rng.normal(0.0, 6.0))
