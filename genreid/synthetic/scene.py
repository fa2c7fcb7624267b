"""One picture: a person at a spot before a camera, cut out as a detector would, with the truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from genreid.body.body import BodyParameters
from genreid.render.zbuffer import rasterise
from genreid.seeding import numpy_rng
from genreid.synthetic.cameras import Camera, View, light_at, view_of
from genreid.synthetic.figure import Dressed, Figure, build, visible_faces
from genreid.synthetic.mannequin import Mannequin
from genreid.synthetic.paint import Illumination, paint
from genreid.synthetic.poses import Pose
from genreid.synthetic.sensor import expose
from genreid.synthetic.shadows import GroundView, contact_shadow, shadow_map, shadow_on_ground
from genreid.synthetic.turns import turn_about

_SUPERSAMPLING = 2


@dataclass(frozen=True)
class Framing:
    """How the detector's box misses the person's true box, in shares of the true height.

    Attributes:
        margin: added to height and width.  shift: (2,) right and down.
    """

    margin: float
    shift: tuple[float, float]


@dataclass(frozen=True)
class Actor:
    """A person at a moment.

    Attributes:
        dressed, pose: who and how.  spot: (2,) street position.  heading_deg: 0 faces the camera.
        roll_deg: of the camera.  crease_seed: where the folds of the cloth fall.
    """

    dressed: Dressed
    pose: Pose
    spot: np.ndarray
    heading_deg: float
    roll_deg: float
    crease_seed: int


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


@dataclass(frozen=True)
class Crop:
    """The cut-out: `centre_m` (2,) of the camera frame (x, y from the pelvis), `px_per_m` of its pixels."""

    centre_m: np.ndarray
    px_per_m: float
    height_px: int
    width_px: int

    def weak_perspective(self) -> np.ndarray:
        """(3,) float32 s, t_x, t_y."""
        scale = 2.0 * self.px_per_m / max(self.height_px, self.width_px)
        return np.array([scale, -self.centre_m[0], -self.centre_m[1]], dtype=np.float32)

    def origin_px(self) -> np.ndarray:
        """(2,) pixel of the pelvis."""
        return np.array([self.width_px / 2.0, self.height_px / 2.0]) - self.centre_m * self.px_per_m


def sample_framing(rng: np.random.Generator, breadth: float = 1.0) -> Framing:
    """A detector's usual error, now and then a bad one that cuts feet or sides off."""
    sloppy = 2.2 if rng.random() < 0.1 else 1.0
    spread = sloppy * breadth
    return Framing(
        margin=float(np.clip(rng.normal(0.07, 0.045 * spread), -0.12, 0.35)),
        shift=(float(rng.normal(0.0, 0.018 * spread)), float(rng.normal(0.0, 0.022 * spread))),
    )


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
    """Draw the person, the street around and others who pass.

    Args:
        yaw_deg: turns the person alone, R_θ = R·R_y(θ): same pose, place, light, crop and noise.
    """
    root, up = _orientation(camera, actor)
    figure = build(mannequin, actor.dressed, root, actor.pose, up, actor.crease_seed)
    crop = _crop(figure, framing, height_px, width_px)
    if yaw_deg != 0.0:
        root = root @ turn_about(1, yaw_deg)
        figure = build(mannequin, actor.dressed, root, actor.pose, up, actor.crease_seed)
    view = view_of(camera, actor.spot, _pelvis_height(figure))
    picture, distance = _street_behind(camera, view, crop)
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


def _pelvis_height(figure: Figure) -> float:
    """Metres from the lowest sole up to the pelvis."""
    return -float((figure.vertices @ figure.up).min())


def _crop(figure: Figure, framing: Framing, height_px: int, width_px: int) -> Crop:
    """The box of a detector around the person, at the picture's aspect ratio."""
    low, high = figure.vertices[:, :2].min(axis=0), figure.vertices[:, :2].max(axis=0)
    tall, wide = high - low
    tall, wide = float(high[1] - low[1]), float(high[0] - low[0])
    # Arms that reach out are cut rather than letting the person become small.
    box_m = max(tall, 0.86 * wide * height_px / width_px) * (1.0 + framing.margin)
    centre = 0.5 * (low + high) + np.array(framing.shift) * tall
    # Rounded, so that the box does not depend on the last bit of the posed vertices.
    return Crop(np.round(centre, 5).astype(np.float64), round(height_px / box_m, 4), height_px, width_px)


def _street_behind(camera: Camera, view: View, crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    """The part of the plate behind the crop: (H, W, 3) float32 light (square root), (H, W) metres."""
    zoom = crop.px_per_m / view.px_per_m
    corner = view.centre_px - crop.origin_px() / zoom
    # Pixel centres lie at .5 in both pictures.
    warp = np.array(
        [[1.0 / zoom, 0.0, corner[0] + 0.5 / zoom - 0.5], [0.0, 1.0 / zoom, corner[1] + 0.5 / zoom - 0.5]]
    )
    size = (crop.width_px, crop.height_px)
    image = camera.plate.image
    left, top = np.floor(corner - 2).astype(int)
    right, bottom = np.ceil(corner + np.array(size) / zoom + 2).astype(int)
    left, top = max(0, left), max(0, top)
    piece = image[top : max(top + 2, bottom), left : max(left + 2, right)]
    if zoom < 0.8:
        # Blur first, so that the warp does not skip fine detail.
        piece = cv2.GaussianBlur(piece, (0, 0), 0.42 / zoom)
    shifted = warp.copy()
    shifted[:, 2] -= [left, top]
    flags = cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(
        piece, shifted, size, flags=flags | cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    distance = cv2.warpAffine(
        camera.plate.distance, warp, size, flags=flags | cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    return picture.astype(np.float32) / 255.0, distance


def _draw_figure(
    figure: Figure, light: Illumination, crop: Crop, picture: np.ndarray, fold_seed: int
) -> np.ndarray:
    """Draw shadow and person into `picture`; returns how much of each pixel the person covers (H, W)."""
    height, width = crop.height_px, crop.width_px
    sunny = light.sun_rgb[1] > 0.02 and light.sun[1] < -0.05
    shadow = shadow_map(figure, light.sun) if sunny else None
    foot = float((figure.vertices @ figure.up).min())
    origin = crop.origin_px()
    ground = GroundView(figure.up, foot, crop.px_per_m, origin, height, width)
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
    colour = paint(figure, faces, fragments, light, shadow, scale, fold_seed)
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
    seen = view_of(camera, other.spot, _pelvis_height(figure))
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
