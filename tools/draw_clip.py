"""Draw a short clip of persons of the synthetic benchmark who walk before one camera, for trackers.

    python -m tools.draw_clip clip --persons 6 --seconds 5

Writes frames and boxes in the layout of MOTChallenge: `img1/000001.jpg` …, `gt/gt.txt` with every person's
whole box and visible share, `det/det.txt` with what a detector would find of it (edges a little off, nobody
who is mostly hidden, now and then nobody at all), and `seqinfo.ini`. The persons are those of the benchmark's
test identities, in the benchmark's own clothes, light and street. They walk to and fro, each on a lane of the
street, meet and cover each other, leave the picture and come back.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from genreid.body import poses
from genreid.body.body import load_body
from genreid.body.poses import Habit, Pose
from genreid.body.turns import tilt_turn_roll
from genreid.seeding import derive_seed, numpy_rng
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.camera.sensor import expose
from genreid.synthetic.figure.figure import build
from genreid.synthetic.picture import scene
from genreid.synthetic.picture.crop import Crop
from genreid.synthetic.picture.light import light_at
from genreid.synthetic.settings import SyntheticSettings
from genreid.synthetic.world.cameras import Camera, bearing_to, view_of
from genreid.synthetic.world.cast import Actor
from pipeline.params import load_params, section

ROOT = Path(__file__).parents[1]
FRAMES_A_SECOND = 20
GAIT_CYCLE_M = 1.35
LEAVES_M = 1.2  # how far beyond the street's visible part a walk goes
LEAST_VISIBLE = 0.35
MISSED = 0.04
EDGE_ERROR = 0.025  # standard deviation, of the box's size


@dataclass(frozen=True)
class Walk:
    """To and fro along the street: from `start_m` of the way there and back, at `speed_m` metres a second."""

    lane_q: float
    start_m: float
    speed_m: float

    def at(self, seconds: float, low: float, high: float) -> tuple[float, int]:
        """(p, ±1): the place between `low` and `high`, and the direction."""
        length = high - low
        there = (self.start_m + self.speed_m * seconds) % (2 * length)
        return (low + there, 1) if there < length else (high - (there - length), -1)


@dataclass(frozen=True)
class Seen:
    """A person in a frame. ltwh: the whole box in pixels, whatever covers it. visible: a share of 1."""

    track: int
    ltwh: tuple[float, float, float, float]
    visible: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--persons", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--camera", type=int, default=3, help="its number in the benchmark; 3 looks across")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    params = load_params(ROOT / "params.yaml")
    settings = section(params, "prepare_data.synthetic", SyntheticSettings)
    benchmark = Benchmark(load_body("open"), settings, int(params.value("prepare_data.seed")))
    num_frames = round(asked.seconds * FRAMES_A_SECOND)
    write_clip(
        asked.folder, draw_clip(benchmark, asked.camera, asked.persons, num_frames, asked.seed), asked.seed
    )


def write_clip(folder: Path, frames: Iterator[tuple[np.ndarray, list[Seen]]], seed: int) -> None:
    """frames: pictures (H, W, 3) uint8 RGB, and who is in them."""
    rng = numpy_rng(seed, "detector")
    truth, found, shape, number = [], [], (0, 0), 0
    for place in ("img1", "gt", "det"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for number, (picture, persons) in enumerate(frames, start=1):
        cv2.imwrite(str(folder / "img1" / f"{number:06d}.jpg"), picture[:, :, ::-1])
        shape = picture.shape[:2]
        for seen in persons:
            box = ",".join(f"{value:.2f}" for value in seen.ltwh)
            truth.append(f"{number},{seen.track},{box},1,1,{seen.visible:.3f}\n")
            if (detection := detect(seen, rng)) is not None:
                edges = ",".join(f"{value:.2f}" for value in detection[:4])
                found.append(f"{number},-1,{edges},{detection[4]:.3f},-1,-1,-1\n")
        print(f"\r{number} frames", end="", flush=True)
    print()
    (folder / "gt" / "gt.txt").write_text("".join(truth))
    (folder / "det" / "det.txt").write_text("".join(found))
    facts = {
        "name": folder.name, "imDir": "img1", "frameRate": FRAMES_A_SECOND, "seqLength": number,
        "imWidth": shape[1], "imHeight": shape[0], "imExt": ".jpg",
    }  # fmt: skip
    (folder / "seqinfo.ini").write_text(
        "[Sequence]\n" + "".join(f"{name}={value}\n" for name, value in facts.items())
    )


def detect(seen: Seen, rng: np.random.Generator) -> tuple[float, ...] | None:
    """(left, top, width, height, score) as a detector would have it, or None where it finds nobody."""
    missed, errors, score = rng.random() < MISSED, rng.normal(0.0, EDGE_ERROR, 4), rng.normal(0.0, 0.05)
    if missed or seen.visible < LEAST_VISIBLE:
        return None
    left, top, width, height = seen.ltwh
    scale = 0.5 * (width + height)
    box = (left + errors[0] * scale, top + errors[1] * scale)
    size = (width * (1 + errors[2]), height * (1 + errors[3]))
    return (*box, *size, float(np.clip(0.45 + 0.5 * seen.visible + score, 0.05, 0.99)))


def draw_clip(
    benchmark: Benchmark, camera_id: int, num_persons: int, num_frames: int, seed: int
) -> Iterator[tuple[np.ndarray, list[Seen]]]:
    """Pictures (H, W, 3) uint8 RGB and who is seen in each."""
    camera = benchmark.camera(camera_id)
    low, high = camera.spots[:, 0].min() - LEAVES_M, camera.spots[:, 0].max() + LEAVES_M
    rng = numpy_rng(seed, "clip")
    known = sorted(
        {shot.figure for shot in benchmark.shots if shot.split == "gallery" and shot.person_id > 0}
    )
    figures = rng.choice(known, num_persons, replace=False)
    lanes = np.linspace(camera.spots[:, 1].min(), camera.spots[:, 1].max(), num_persons)
    walks = [
        Walk(float(lane), float(rng.uniform(0, 2 * (high - low))), float(rng.uniform(0.9, 1.6)))
        for lane in rng.permutation(lanes)
    ]
    for number in range(num_frames):
        seconds = number / FRAMES_A_SECOND
        actors = [
            _actor(benchmark, int(figure), walk, seconds, (low, high), seed)
            for figure, walk in zip(figures, walks, strict=True)
        ]
        yield _draw_frame(benchmark, camera, actors, seed)


def _actor(
    benchmark: Benchmark, figure: int, walk: Walk, seconds: float, ends: tuple[float, float], seed: int
) -> Actor:
    p, way = walk.at(seconds, *ends)
    spot = np.array([p, walk.lane_q])
    dressed = benchmark._cast.dressed(figure)
    phase = walk.speed_m * seconds / GAIT_CYCLE_M + figure * 0.37
    pose = stride(dressed.identity.habit, phase, derive_seed(seed, "pose", figure))
    return Actor(
        dressed, pose, spot, _heading_deg(spot, way), 0.0, derive_seed(seed, "crease", figure) % (1 << 30)
    )


def _heading_deg(spot: np.ndarray, way: int) -> float:
    """Of somebody at a spot who walks towards +p (`way` 1) or −p; 0 faces the camera."""
    bearing = bearing_to(spot)
    right = np.array([-bearing[2], 0.0, bearing[0]])
    walk = np.array([float(way), 0.0, 0.0])
    return float(np.degrees(np.arctan2(walk @ right, -(walk @ bearing))))


def stride(habit: Habit, phase: float, seed: int) -> Pose:
    """A moment of a walk, `phase` in cycles: the benchmark's own legs and arms, and from moment to moment
    nothing but the phase changes."""
    rng = np.random.default_rng(seed % (1 << 63))
    turns = np.tile(np.eye(3), (24, 1, 1))
    poses._set_legs(turns, rng, habit, phase, habit.stride, 0.0)
    twist = -5.0 * habit.stride * np.cos(2 * np.pi * phase)
    for joint in (poses._SPINE1, poses._SPINE2, poses._SPINE3):
        turns[joint] = tilt_turn_roll(habit.lean_deg / 3, twist / 3, 0.0)
    for side in (1, -1):
        kind = poses.HOLD if habit.loaded_hand == side else poses.SWING
        poses._set_arm(turns, rng, habit, kind, side, phase, habit.stride, 0.0)
    return Pose(turns[1:], poses.WALK, poses.SWING, poses.SWING)


def _draw_frame(
    benchmark: Benchmark, camera: Camera, actors: Sequence[Actor], seed: int
) -> tuple[np.ndarray, list[Seen]]:
    """The whole of what the camera sees: the farthest person first."""
    picture = camera.plate.image.astype(np.float32) / 255.0
    wholes: list[tuple[int, np.ndarray, tuple[float, float, float, float]]] = []
    shown = np.full(picture.shape[:2], -1, np.int16)  # whose pixel it is
    order = sorted(range(len(actors)), key=lambda index: -scene._level(actors[index].spot))
    for index in order:
        drawn = _draw_person(benchmark, camera, actors[index], picture)
        if drawn is None:
            continue
        covered, hidden, ltwh = drawn
        shown[covered & ~hidden] = index
        wholes.append((index, covered, ltwh))
    seen = [
        Seen(index + 1, ltwh, float((shown[covered] == index).mean()))
        for index, covered, ltwh in wholes
        if covered.any()
    ]
    height = picture.shape[0]
    # A frame is many times as tall as a crop; one draw of chance for all frames, so that light is steady.
    sensor = replace(camera.sensor, blur_px=camera.sensor.blur_px * 128 / height, lines=1.0, sharpen=0.0)
    image = expose(picture, sensor, camera.exposure, numpy_rng(seed, "sensor"))
    return image, sorted((one for one in seen if one.visible > 0), key=lambda one: one.track)


def _draw_person(
    benchmark: Benchmark, camera: Camera, actor: Actor, picture: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float, float]] | None:
    """Draw somebody into the frame; what is covered and what stands before (H, W), and the whole box. None of
    somebody who is not in the frame."""
    tall, wide = picture.shape[:2]
    root, up = scene._orientation(camera, actor)
    figure = build(benchmark._cast.mannequin, actor.dressed, root, actor.pose, up, actor.crease_seed)
    view = view_of(camera, actor.spot, -figure.foot_m)
    points = figure.vertices[:, :2] * view.px_per_m + view.centre_px
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    if right <= 1 or bottom <= 1 or left >= wide - 1 or top >= tall - 1:
        return None
    margin = 0.35 * (bottom - top)  # shadows
    x = np.clip([np.floor(left - margin), np.ceil(right + margin)], 0, wide).astype(int)
    y = np.clip([np.floor(top - margin), np.ceil(bottom + margin)], 0, tall).astype(int)
    window = (slice(*y), slice(*x))
    height, width = int(y[1] - y[0]), int(x[1] - x[0])
    centre = (np.array([x[0] + width / 2.0, y[0] + height / 2.0]) - view.centre_px) / view.px_per_m
    before = picture[window].copy()
    part = before.copy()
    alpha = scene._draw_figure(
        figure,
        light_at(camera, view, up),
        Crop(centre, view.px_per_m, height, width),
        part,
        actor.crease_seed,
    )
    nearer = camera.plate.distance[window] < view.distance_m - 0.45
    picture[window] = np.where(nearer[..., None], before, part)
    covered, hidden = np.zeros((2, tall, wide), bool)
    covered[window], hidden[window] = alpha > 0.5, nearer
    return covered, hidden, (float(left), float(top), float(right - left), float(bottom - top))


if __name__ == "__main__":
    main()
