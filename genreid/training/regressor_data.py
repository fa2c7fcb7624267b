"""What the regressor learns from: renders of strangers, and what is done to them. N scenes, B of a batch.

The scenes come from the endless stream of `genreid.synthetic`, which shares no identity, camera or background
with any benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numba
import numpy as np
import pyarrow as pa
import torch

from genreid.body.body import BodyParameters, load_body
from genreid.body.columns import BODY_FIELDS, pack_body, unpack_body
from genreid.body.rotations import axis_angle_to_matrix
from genreid.errors import GenreidError
from genreid.mesh.loss import Target
from genreid.mesh.mirror import mirror_camera, mirror_rotations
from genreid.synthetic.stream import training_scene
from genreid.training.settings.regressor import DistortionSettings

_load_body = lru_cache(maxsize=1)(load_body)
SCENE_SCHEMA = pa.schema(
    [
        pa.field("pixels", pa.binary(), nullable=False),
        pa.field("silhouette", pa.binary(), nullable=False),  # a bit a pixel
        *BODY_FIELDS,
    ]
)


def render_scenes(
    body_name: str, seed: int, start: int, stop: int, height_px: int, width_px: int
) -> pa.Table:
    """Scenes number `start` to `stop` − 1 of the stream that `seed` names.

    They depend on the arguments alone, and the arguments are plain: work for a pool of processes.
    """
    body = _load_body(body_name)
    scenes = [training_scene(body, seed, index, height_px, width_px) for index in range(start, stop)]
    return scene_table(
        [scene.image for scene in scenes],
        [scene.silhouette for scene in scenes],
        [scene.parameters for scene in scenes],
        [torch.from_numpy(scene.camera) for scene in scenes],
    )


def scene_table(
    images: Sequence[np.ndarray],
    silhouettes: Sequence[np.ndarray],
    parameters: Sequence[BodyParameters],
    cameras: Sequence[torch.Tensor],
) -> pa.Table:
    """Scenes as a table: images (H, W, 3), silhouettes (H, W) bool, bodies of one each, cameras (3,)."""
    bodies = BodyParameters(
        torch.cat([p.global_orient for p in parameters]),
        torch.cat([p.body_pose for p in parameters]),
        torch.cat([p.betas for p in parameters]),
    )
    columns = pack_body(bodies, torch.stack(list(cameras)), np.ones(len(images), bool))
    columns["pixels"] = pa.array([image.tobytes() for image in images], pa.binary())
    columns["silhouette"] = pa.array([np.packbits(one).tobytes() for one in silhouettes], pa.binary())
    return pa.table([columns[name] for name in SCENE_SCHEMA.names], schema=SCENE_SCHEMA)


@dataclass(frozen=True)
class Scenes:
    """image (N, H, W, 3) uint8 RGB; target: the truth of all N."""

    image: np.ndarray
    target: Target

    @classmethod
    def from_tables(cls, tables: Sequence[pa.Table], height_px: int, width_px: int) -> Scenes:
        """Read `scene_table`s back, in order."""
        image = np.concatenate([_pixels(table, height_px, width_px) for table in tables])
        bits = np.concatenate([_rows(table, "silhouette") for table in tables])
        inside = np.unpackbits(bits, axis=1, count=height_px * width_px).reshape(-1, height_px, width_px)
        parameters, camera, _ = unpack_body(pa.concat_tables(tables))
        joints = torch.cat([parameters.global_orient, parameters.body_pose], dim=1).unflatten(1, (-1, 3))
        silhouette = torch.from_numpy(inside * np.uint8(255))
        return cls(image, Target(axis_angle_to_matrix(joints), parameters.betas, camera, silhouette))

    def __len__(self) -> int:
        return len(self.image)

    def split(self, num_first: int) -> tuple[Scenes, Scenes]:
        """The first `num_first` scenes and the others."""
        first, rest = torch.arange(num_first), torch.arange(num_first, len(self))
        return (
            Scenes(self.image[:num_first], self.target.select(first)),
            Scenes(self.image[num_first:], self.target.select(rest)),
        )


def _pixels(table: pa.Table, height_px: int, width_px: int) -> np.ndarray:
    rows = _rows(table, "pixels")
    if rows.shape[1] != height_px * width_px * 3:
        raise GenreidError(f"kept scenes are not of {height_px}x{width_px} pixels: start again with --fresh")
    return rows.reshape(-1, height_px, width_px, 3)


def _rows(table: pa.Table, column: str) -> np.ndarray:
    """(N, bytes a scene) uint8."""
    return np.stack([np.frombuffer(cell.as_buffer(), np.uint8) for cell in table[column].combine_chunks()])


def distort(
    scenes: Scenes, index: np.ndarray, settings: DistortionSettings, rng: np.random.Generator
) -> Scenes:
    """New scenes from those at `index` (B,): what moves moves the truth as well; what spoils does not."""
    height, width = scenes.image.shape[1:3]
    motion = Motion.draw(len(index), height, width, settings, rng)
    image = motion.move(scenes.image[index])
    for picture in image:
        picture[:] = _spoil(picture, settings, rng)
    _recolour(image, settings, rng)
    return Scenes(image, move_target(scenes.target.select(torch.from_numpy(index)), motion))


@dataclass(frozen=True)
class Motion:
    """How B pictures move: mirrored (B,) bool, then scaled (B,) and rolled (B,) clockwise about the middle,
    and shifted (B, 2) right and down.
    """

    mirror: np.ndarray
    scale: np.ndarray
    roll_deg: np.ndarray
    shift_px: np.ndarray

    @classmethod
    def draw(
        cls, num: int, height: int, width: int, settings: DistortionSettings, rng: np.random.Generator
    ) -> Motion:
        """Of `num` pictures, as far as the settings let them move."""
        return cls(
            mirror=rng.random(num) < settings.mirror,
            scale=np.exp(rng.uniform(-1, 1, num) * np.log1p(settings.scale)),
            roll_deg=rng.uniform(-settings.roll_deg, settings.roll_deg, num),
            shift_px=rng.uniform(-settings.shift, settings.shift, (num, 2)) * [width, height],
        )

    def move(self, pictures: np.ndarray) -> np.ndarray:
        """(B, H, W[, 3]) uint8 → the same, moved; their edges are repeated outwards."""
        height, width = pictures.shape[1:3]
        moved = np.empty_like(pictures)
        for i, picture in enumerate(pictures):
            warp = _warp(self.mirror[i], self.scale[i], self.roll_deg[i], self.shift_px[i], height, width)
            moved[i] = cv2.warpAffine(
                picture, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        return moved


def move_target(target: Target, motion: Motion) -> Target:
    """The truth of pictures that were moved.

    A roll about the view's axis turns the root; with x' = s·(X + t), the picture's similarity
    x' → k·Q·x' + d gives s → k·s, t → Q·t + d/(k·s). The silhouette moves as the picture does.
    """
    flip = torch.from_numpy(motion.mirror)
    rotations = torch.where(flip[:, None, None, None], mirror_rotations(target.rotations), target.rotations)
    camera = torch.where(flip[:, None], mirror_camera(target.camera), target.camera)
    roll = torch.zeros(len(motion.roll_deg), 3)
    roll[:, 2] = torch.from_numpy(np.deg2rad(motion.roll_deg))
    turn = axis_angle_to_matrix(roll)
    rotations = torch.cat([(turn @ rotations[:, 0])[:, None], rotations[:, 1:]], dim=1)
    new_scale = camera[:, :1] * torch.from_numpy(motion.scale).float()[:, None]
    longer_side_px = max(target.silhouette.shape[1:])
    shift = torch.from_numpy(motion.shift_px / (longer_side_px / 2)).float()
    place = (turn[:, :2, :2] @ camera[:, 1:, None])[..., 0] + shift / new_scale
    silhouette = torch.from_numpy(motion.move(target.silhouette.numpy()))
    return Target(rotations, target.betas, torch.cat([new_scale, place], dim=1), silhouette)


def _warp(
    mirror: bool, scale: float, roll_deg: float, shift_px: np.ndarray, height: int, width: int
) -> np.ndarray:
    """(2, 3) matrix for cv2.warpAffine, whose coordinates are 0 at the first pixel's centre."""
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    angle = np.deg2rad(roll_deg)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirror:
        turn = turn @ np.diag([-1.0, 1.0])
    return np.column_stack([turn, middle + shift_px - turn @ middle])


def _spoil(image: np.ndarray, settings: DistortionSettings, rng: np.random.Generator) -> np.ndarray:
    """Resolution lost, and something in the way."""
    height, width = image.shape[:2]
    if rng.random() < settings.soften:
        factor = rng.uniform(0.3, 0.9)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < settings.erase:
        box_height = int(height * rng.uniform(0.1, 0.5))
        box_width = int(width * rng.uniform(0.2, 0.7))
        top = rng.integers(0, height - box_height + 1)
        left = rng.integers(0, width - box_width + 1)
        image[top : top + box_height, left : left + box_width] = rng.integers(0, 256, 3)
    return image


def _recolour(image: np.ndarray, settings: DistortionSettings, rng: np.random.Generator) -> None:
    """Gain of each channel, contrast about the picture's mean, noise; in place, (B, H, W, 3) uint8."""
    num = len(image)
    span = np.log1p(settings.colour)
    gain = np.exp(rng.uniform(-span, span, (num, 1)) + 0.4 * rng.uniform(-span, span, (num, 3)))
    contrast = np.exp(rng.uniform(-span, span, num))
    seeds = rng.integers(1, 1 << 63, num, dtype=np.uint64)
    _develop(image, gain.astype(np.float32), contrast.astype(np.float32), np.float32(settings.noise), seeds)


@numba.njit(cache=True, nogil=True)
def _develop(
    image: np.ndarray, gain: np.ndarray, contrast: np.ndarray, noise: np.float32, seeds: np.ndarray
) -> None:
    """mean + contrast·(gain·level − mean) + noise for every picture, whose noise has a generator of its own.

    The sum of four random bytes is bell-shaped enough, and takes one step of Marsaglia's xorshift.
    """
    num, height, width = image.shape[:3]
    unit = np.float32(noise / np.sqrt(4 * (256.0**2 - 1) / 12))
    byte = np.uint64(255)
    for number in range(num):
        total = np.float32(0.0)
        for channel in range(3):
            levels = 0
            for row in range(height):
                for column in range(width):
                    levels += image[number, row, column, channel]
            total += gain[number, channel] * np.float32(levels)
        offset = total / np.float32(3 * height * width) * (np.float32(1.0) - contrast[number])
        state = seeds[number]
        for row in range(height):
            for column in range(width):
                for channel in range(3):
                    state ^= state << np.uint64(13)
                    state ^= state >> np.uint64(7)
                    state ^= state << np.uint64(17)
                    grain = (state & byte) + ((state >> np.uint64(16)) & byte)
                    grain += ((state >> np.uint64(32)) & byte) + ((state >> np.uint64(48)) & byte)
                    level = np.float32(image[number, row, column, channel])
                    level = contrast[number] * gain[number, channel] * level + offset
                    level += unit * (np.float32(grain) - np.float32(510.0))
                    level = min(max(level, np.float32(0.0)), np.float32(255.0))
                    image[number, row, column, channel] = np.uint8(level + np.float32(0.5))
