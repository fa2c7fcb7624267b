"""One picture: a person at a spot before a camera, cut out as a detector would, with the truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from genreid.body.body import BodyParameters
from genreid.body.turns import turn_about
from genreid.render.zbuffer import rasterise
from genreid.seeding import numpy_rng
from genreid.synthetic.camera.sensor import expose
from genreid.synthetic.figure.figure import Figure, build, visible_faces
from genreid.synthetic.figure.mannequin import Mannequin
from genreid.synthetic.picture.crop import Crop, Framing, background_behind, crop_around
from genreid.synthetic.picture.light import Illumination, light_at
from genreid.synthetic.picture.shading import shade
from genreid.synthetic.picture.shadows import GroundView, contact_shadow, shadow_map, shadow_on_ground
from genreid.synthetic.world.cameras import Camera, View, view_of
from genreid.synthetic.world.cast import Actor

_SUPERSAMPLING = 2


@dataclass(frozen=True)
class Scene:
    """A picture and its truth.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        parameters: one body; global_orient holds heading and the camera's tilt.
        camera: (3,) float32 weak perspective s, t_x, t_y of this crop.
        silhouette: (H, W) bool, the clothed person with bags, whatever stands before.
        heading_deg: 0 faces the camera, positive to the person's left.
    """

    image: np.ndarray
    parameters: BodyParameters
    camera: np.ndarray
    silhouette: np.ndarray
    heading_deg: float


def draw(
    mannequin: Mannequin,
    camera: Camera,
    actor: Actor,
    framing: Framing,
    others: list[Actor],
    noise_seed: int,
    height_px: int,
    width_px: int,
    yaw_deg: float = 0.0,
) -> Scene:
    """Draw the person, the background around and others who pass.

    Args:
        yaw_deg: turns the person alone, R_θ = R·R_y(θ): same pose, place, light, crop and noise.
    """
    root, up = _orientation(camera, actor)
    figure = build(mannequin, actor.dressed, root, actor.pose, up, actor.crease_seed)
    crop = crop_around(figure, framing, height_px, width_px)
    if yaw_deg != 0.0:
        root = root @ turn_about(1, yaw_deg)
        figure = build(mannequin, actor.dressed, root, actor.pose, up, actor.crease_seed)
    view = view_of(camera, actor.spot, -figure.foot_m)
    picture, distance = background_behind(camera, view, crop)
    for other in others:
        if _level(other.spot) >= _level(actor.spot):
            _draw_other(mannequin, camera, other, view, crop, picture, distance)
    before = picture.copy()
    alpha = _draw_figure(figure, light_at(camera, view, up), crop, picture, actor.crease_seed)
    # What stands nearer than the person covers it.
    nearer = distance < view.distance_m - 0.45
    if nearer.any():
        hidden = cv2.GaussianBlur(nearer.astype(np.float32), (0, 0), 0.5)[..., None]
        picture = hidden * before + (1.0 - hidden) * picture
    for other in others:
        if _level(other.spot) < _level(actor.spot):
            _draw_other(mannequin, camera, other, view, crop, picture, distance)
    image = expose(picture, camera.sensor, camera.exposure, numpy_rng(noise_seed, "sensor"))
    return Scene(
        image=image,
        parameters=figure.parameters,
        camera=crop.weak_perspective(),
        silhouette=alpha > 0.5,
        heading_deg=float(np.degrees(np.arctan2(root[0, 2], -root[2, 2]))),
    )


def _level(spot: np.ndarray) -> float:
    """Distance of a spot from the camera's foot."""
    return float(np.hypot(spot[0], spot[1]))


def _orientation(camera: Camera, actor: Actor) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) rotation of the pelvis as this camera sees it, and (3,) the direction against gravity."""
    pitch_deg = np.degrees(view_of(camera, actor.spot, 0.95).pitch_rad)
    tilt = turn_about(2, actor.roll_deg) @ turn_about(0, pitch_deg)
    root = tilt @ turn_about(0, 180.0) @ turn_about(1, actor.heading_deg)
    return root, tilt @ np.array([0.0, -1.0, 0.0])


def _draw_figure(
    figure: Figure, light: Illumination, crop: Crop, picture: np.ndarray, fold_seed: int
) -> np.ndarray:
    """Draw shadow and person into `picture`; returns how much of each pixel the person covers (H, W)."""
    height, width = crop.height_px, crop.width_px
    sunny = light.sun_rgb[1] > 0.02 and light.sun[1] < -0.05
    shadow = shadow_map(figure, light.sun) if sunny else None
    origin = crop.origin_px()
    ground = GroundView(figure.up, figure.foot_m, crop.px_per_m, origin, height, width)
    dimming = contact_shadow(figure, ground)
    if shadow is not None:
        cast = shadow_on_ground(shadow, ground)
        sun_share = light.sun_rgb[1] * -light.sun[1] / (light.sun_rgb[1] * -light.sun[1] + light.sky_rgb[1])
        dimming = dimming * (1.0 - 0.92 * sun_share * cv2.GaussianBlur(cast, (0, 0), 0.008 * height))
    picture *= np.sqrt(dimming)[..., None]
    scale = crop.px_per_m * _SUPERSAMPLING
    points = np.column_stack(
        [figure.vertices[:, :2] * scale + origin * _SUPERSAMPLING, figure.vertices[:, 2]]
    )
    faces = visible_faces(figure, points)
    fragments = rasterise(points, faces, height * _SUPERSAMPLING, width * _SUPERSAMPLING)
    colour = shade(figure, faces, fragments, light, shadow, scale, fold_seed)
    size = (width, height)
    alpha = cv2.resize(fragments.covered.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(np.sqrt(np.minimum(colour, 1.6)), size, interpolation=cv2.INTER_AREA)
    picture *= 1.0 - alpha[..., None]
    picture += colour
    return alpha


def _draw_other(
    mannequin: Mannequin,
    camera: Camera,
    other: Actor,
    view: View,
    crop: Crop,
    picture: np.ndarray,
    distance: np.ndarray,
) -> None:
    """Draw somebody else into the same crop, at the size that the distance gives."""
    root, up = _orientation(camera, other)
    figure = build(mannequin, other.dressed, root, other.pose, up, other.crease_seed)
    seen = view_of(camera, other.spot, -figure.foot_m)
    zoom = crop.px_per_m / view.px_per_m
    scale = seen.px_per_m * zoom
    origin = crop.origin_px() + (seen.centre_px - view.centre_px) * zoom
    centre = (np.array([crop.width_px, crop.height_px]) / 2.0 - origin) / scale
    before = picture.copy()
    _draw_figure(
        figure,
        light_at(camera, seen, up),
        Crop(centre, scale, crop.height_px, crop.width_px),
        picture,
        other.crease_seed,
    )
    hidden = (distance < seen.distance_m - 0.45)[..., None]
    np.copyto(picture, before, where=hidden)
