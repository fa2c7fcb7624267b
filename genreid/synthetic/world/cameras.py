"""The cameras of a world: each with a background, an empty picture of it, and spots where people are seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.seeding import derive_seed, numpy_rng
from genreid.synthetic.background.layout import SUNS, Background, sample_background
from genreid.synthetic.background.plate import Plate, render_plate
from genreid.synthetic.camera.lens import Lens, sample_lens
from genreid.synthetic.camera.sensor import Sensor, auto_exposure, sample_sensor

# The heading that most people have before camera 1, 2, …: towards it, away from it, from either side, aslant.
_USUAL_HEADINGS_DEG = (0.0, 180.0, 90.0, -45.0, -90.0, 140.0, 45.0, -140.0)
_USUAL_SHARE = 0.78
_PERSON_M = 1.75
# How often somebody is seen behind a bin, a car or a post where the camera has such places.
_OBSCURED_SHARE = 0.12


@dataclass(frozen=True)
class Camera:
    """One camera of a world.

    Attributes:
        lens, background, plate, sensor: see there.  exposure: factor for `sensor.expose`.
        spots: (K, 2) street positions (p, q) where a person is in the picture and in full sight.
        obscured_spots: (M, 2) those where something that stands nearer hides a part of the person.
        usual_way: +1 when most people walk towards +p, −1 towards −p.
    """

    lens: Lens
    background: Background
    plate: Plate
    sensor: Sensor
    exposure: float
    spots: np.ndarray
    obscured_spots: np.ndarray
    usual_way: int


@dataclass(frozen=True)
class View:
    """A camera's view of one spot.

    Attributes:
        position: (3,) street coordinates of the pelvis.
        bearing: (3,) unit horizontal vector from the camera towards the spot.
        pitch_rad: how steeply the camera looks down on it.
        px_per_m: scale of the plate there.  centre_px: (2,) pixel of the pelvis on the plate.
        distance_m: from the lens.
    """

    position: np.ndarray
    bearing: np.ndarray
    pitch_rad: float
    px_per_m: float
    centre_px: np.ndarray
    distance_m: float


def build_camera(seed: int, index: int, plate_height_px: int, breadth: float = 1.0) -> Camera:
    """Camera number `index` (from 0) of a world.

    Cameras of a world differ in the heading that people usually have before them; in the wide world of
    training (`breadth` > 1) the street's direction is any.
    """
    for attempt in range(20):
        rng = numpy_rng(seed, "camera", index, attempt)
        usual = rng.uniform(-180.0, 180.0) if breadth > 1.0 else usual_heading_deg(seed, index)
        # Somebody who walks towards −p has the heading −azimuth, towards +p 180° − azimuth.
        usual_way = -1 if abs((usual + 180.0) % 360.0 - 180.0) <= 90.0 else 1
        azimuth = -usual if usual_way < 0 else 180.0 - usual
        lens, watched_m = sample_lens(rng, azimuth, plate_height_px, plate_height_px * 4 // 3)
        # The cameras of a world see every kind of light, each its own.
        sun = SUNS[(index + derive_seed(seed, "light") % len(SUNS)) % len(SUNS)]
        background = sample_background(rng, lens, watched_m, sun)
        sensor = sample_sensor(rng, breadth)
        plate = render_plate(background, lens)
        spots, obscured = _visible_spots(lens, background, plate)
        if len(spots) >= 12:
            exposure = auto_exposure(plate.image, sensor)
            return Camera(lens, background, plate, sensor, exposure, spots, obscured, usual_way)
    raise AssertionError(f"no background with a free path for camera {index} of seed {seed}")


def usual_heading_deg(seed: int, index: int) -> float:
    """The heading that most people have before camera `index`: the camera's own viewpoint."""
    usual = _USUAL_HEADINGS_DEG[index % len(_USUAL_HEADINGS_DEG)]
    return float(usual + numpy_rng(seed, "usual heading", index).normal(0.0, 8.0))


def _visible_spots(lens: Lens, background: Background, plate: Plate) -> tuple[np.ndarray, np.ndarray]:
    """Spots on the path whose person is in the plate and large enough: (K, 2) in full sight, (M, 2) where
    up to a third is hidden."""
    p, q = np.meshgrid(
        np.arange(-12.0, 24.0, 0.3), background.path_q + background.path_half_m * np.linspace(-0.9, 0.9, 4)
    )
    spots = np.stack([p.ravel(), q.ravel()], axis=1)
    foot = np.column_stack([spots[:, 0], np.zeros(len(spots)), spots[:, 1]])
    feet, heads = lens.project(foot), lens.project(foot + np.array([0.0, _PERSON_M, 0.0]))
    tall = feet[:, 1] - heads[:, 1]
    inside = (
        (feet[:, 2] > 2.0)
        & (feet[:, 1] + 0.1 * tall < lens.height_px)
        & (heads[:, 1] - 0.1 * tall > 0)
        & (np.abs(feet[:, 0] - lens.width_px / 2) < lens.width_px / 2 - 0.36 * tall)
        & (tall > 0.2 * lens.height_px)
        & (tall < 0.72 * lens.height_px)
    )
    spots = spots[inside]
    hidden = np.array(
        [_hidden_share(lens, plate, *of) for of in zip(spots, feet[inside], heads[inside], strict=True)]
    )
    return spots[hidden < 0.06], spots[(hidden >= 0.06) & (hidden < 0.33)]


def _hidden_share(lens: Lens, plate: Plate, spot: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of the person's box that something nearer covers."""
    half = max(2, int(0.14 * (low[1] - high[1])))
    column, top, bottom = int(0.5 * (low[0] + high[0])), int(high[1]), int(low[1])
    box = plate.distance[max(0, top) : bottom, max(0, column - half) : column + half]
    reach = float(np.sqrt(spot @ spot + (lens.height_m - 0.9) ** 2))
    return float((box < reach - 0.5).mean()) if box.size else 1.0


def sample_spot(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """(2,) where somebody stands or walks."""
    obscured = rng.random() < _OBSCURED_SHARE and len(camera.obscured_spots) > 0
    spots = camera.obscured_spots if obscured else camera.spots
    return spots[rng.integers(len(spots))] + rng.uniform(-0.12, 0.12, 2)


def sample_heading(camera: Camera, spot: np.ndarray, rng: np.random.Generator) -> float:
    """Heading in degrees of somebody who walks along the street, most likely the usual way.

    0 faces the camera; positive is turned to the person's left.
    """
    towards = camera.usual_way if rng.random() < _USUAL_SHARE else -camera.usual_way
    bearing = bearing_to(spot)
    right = np.array([-bearing[2], 0.0, bearing[0]])
    walk = np.array([float(towards), 0.0, 0.0])
    heading = np.degrees(np.arctan2(walk @ right, -(walk @ bearing)))
    return float((heading + rng.normal(0.0, 11.0) + 180.0) % 360.0 - 180.0)


def bearing_to(spot: np.ndarray) -> np.ndarray:
    """(3,) unit horizontal direction from the camera to a spot, street coordinates."""
    direction = np.array([spot[0], 0.0, spot[1]])
    return direction / np.linalg.norm(direction)


def view_of(camera: Camera, spot: np.ndarray, pelvis_m: float) -> View:
    """How the camera sees a pelvis that many metres above the ground at a spot."""
    position = np.array([spot[0], pelvis_m, spot[1]])
    seen = camera.lens.project(position[None])[0]
    level = float(np.hypot(spot[0], spot[1]))
    return View(
        position=position,
        bearing=bearing_to(spot),
        pitch_rad=float(np.arctan2(camera.lens.height_m - pelvis_m, level)),
        px_per_m=float(camera.lens.focal_px / seen[2]),
        centre_px=seen[:2],
        distance_m=float(np.hypot(level, camera.lens.height_m - pelvis_m)),
    )
