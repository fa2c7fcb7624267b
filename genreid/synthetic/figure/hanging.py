"""The hanging cloth of skirts and coats, which a body lacks."""

from __future__ import annotations

import numpy as np

from genreid.synthetic.figure.shapes import Panel, Prop, Rig, grid_faces, panel_uv

# Half depth and half width added around each leg, by distance below the hip joint (metres).
_LEG_AT = (-0.16, -0.06, 0.0, 0.12, 0.38, 0.6, 0.8)
_LEG_DEPTH = (0.105, 0.118, 0.12, 0.098, 0.068, 0.058, 0.05)
_LEG_WIDTH = (0.045, 0.066, 0.078, 0.085, 0.066, 0.058, 0.05)


def hanging_cloth(
    rig: Rig,
    panel: Panel,
    top_m: float,
    hem_m: float,
    ease_m: float,
    flare: float,
    open_rad: float,
    widths: np.ndarray,
) -> Prop:
    """A skirt or coat tail: at each height the outline of both legs, bridged straight between them.

    Args:
        top_m, hem_m: heights from the pelvis on the mean body.
        flare: widening per metre below the hip.  open_rad: half angle of the opening in front.
        widths: (2,) the body's width and depth at the hips relative to the mean body.
    """
    num_rings, num_spokes = max(5, int((top_m - hem_m) / 0.055)), 36
    to_local = rig.turns[0].T
    local = rig.joints @ to_local.T
    below = np.linspace(-top_m - 0.054, -hem_m - 0.054, num_rings)
    if open_rad > 0.0:
        angle = np.linspace(open_rad, 2.0 * np.pi - open_rad, num_spokes)
    else:
        angle = np.linspace(-np.pi, np.pi, num_spokes)
    outward = np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], axis=-1)
    legs = np.stack([_along_leg(local[[1, 4, 7]], below), _along_leg(local[[2, 5, 8]], below)])
    pull = 26.0 * (legs[:, :, None, :] * outward).sum(-1)
    share = np.exp(pull - pull.max(axis=0))
    share /= share.sum(axis=0)
    ring = (share[..., None] * legs[:, :, None, :]).sum(axis=0)
    # The cloth leaves the body smoothly: it starts just under the surface and stands off it further down.
    leave = np.clip((below + 0.09) / 0.16, 0.0, 1.0)
    room = (-0.012 + (ease_m + 0.012) * leave + flare * np.maximum(0.0, below))[:, None]
    reach = np.stack(
        [
            np.interp(below, _LEG_AT, _LEG_WIDTH) * widths[0],
            np.zeros_like(below),
            np.interp(below, _LEG_AT, _LEG_DEPTH) * widths[1],
        ],
        axis=-1,
    )
    ring = ring + outward * (reach[:, None, :] + room[..., None])
    ring[..., 1] = 0.45 * ring[..., 1] + 0.55 * (-0.054 - below[:, None])
    wave = (
        0.012 * np.sin(angle * 7.0)[None, :] * np.clip(below / 0.4, 0.0, 1.0)[:, None] * (1.0 + 6.0 * flare)
    )
    ring += outward * wave[..., None]
    down = np.broadcast_to(np.linspace(0.0, 1.0, num_rings)[:, None], ring.shape[:2])
    across = 0.5 + 0.5 * np.sin(angle)
    uv = panel_uv(
        panel,
        np.broadcast_to(across, ring.shape[:2]).reshape(-1),
        (down * (hem_m - top_m) / (panel[2] - panel[3])).reshape(-1),
    )
    side = np.broadcast_to(np.cos(angle), ring.shape[:2]).reshape(-1)
    return Prop(
        (ring.reshape(-1, 3) @ to_local).astype(np.float32),
        grid_faces(num_rings, num_spokes, False),
        uv,
        side.astype(np.float32),
    )


def _along_leg(joints: np.ndarray, below: np.ndarray) -> np.ndarray:
    """(R, 3) points of a leg (hip, knee, ankle) at given lengths below the hip; straight up above it."""
    hip, knee, ankle = joints
    thigh, shin = np.linalg.norm(knee - hip), np.linalg.norm(ankle - knee)
    lower = (below - thigh) / shin
    points = np.where(
        (below < thigh)[:, None],
        hip + (knee - hip) * (below / thigh)[:, None],
        knee + (ankle - knee) * lower[:, None],
    )
    straight = hip + np.stack([np.zeros_like(below), -below, np.zeros_like(below)], axis=-1)
    return np.where((below < 0.0)[:, None], straight, points)
