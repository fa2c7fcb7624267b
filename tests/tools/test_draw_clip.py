"""The clip of walking persons: who is where, what a detector finds, and what is written."""

from __future__ import annotations

import configparser
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genreid.body.body import load_body
from genreid.body.poses import Habit
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.settings import SyntheticSettings
from pipeline.params import load_params, section
from tools.draw_clip import FRAMES_A_SECOND, ROOT, Seen, Walk, detect, draw_clip, stride, write_clip

HABIT = Habit(1.0, 15.0, 3.0, 10.0, 5.0, 0, False)


def test_a_walk_goes_to_and_fro() -> None:
    walk = Walk(lane_q=3.0, start_m=1.0, speed_m=2.0)
    places = [walk.at(seconds, -4.0, 6.0) for seconds in (0.0, 4.0, 5.0, 9.0, 10.0)]
    assert places == [(-3.0, 1), (5.0, 1), (5.0, -1), (-3.0, -1), (-3.0, 1)]


def test_a_step_changes_little_and_a_cycle_nothing() -> None:
    first = stride(HABIT, 0.25, 7)
    np.testing.assert_allclose(stride(HABIT, 1.25, 7).turns, first.turns, atol=1e-9)
    moved = [np.abs(stride(HABIT, 0.25 + part, 7).turns - first.turns).max() for part in (0.01, 0.5)]
    assert moved[0] < 0.1 < moved[1]
    assert np.abs(stride(HABIT, 0.25, 8).turns - first.turns).max() > 0.01, "everybody holds hands otherwise"


def test_a_detector_finds_whom_it_sees() -> None:
    rng = np.random.default_rng(0)
    person = Seen(1, (100.0, 50.0, 40.0, 100.0), 1.0)
    found = [detect(person, rng) for _ in range(500)]
    boxes = np.array([box for box in found if box is not None])
    assert 0.9 < len(boxes) / 500 < 1.0
    np.testing.assert_allclose(boxes[:, :4].mean(0), person.ltwh, rtol=0.01)
    assert boxes[:, :4].std(0).min() > 0.5 and boxes[:, 4].mean() > 0.85
    assert all(detect(replace(person, visible=0.3), rng) is None for _ in range(50))


def test_frames_and_boxes_are_written_as_mot_challenge_has_them(tmp_path: Path) -> None:
    frames = [
        (np.full((20, 30, 3), number, np.uint8), [Seen(2, (1.0, 2.0, 3.0, 4.0), 0.5)]) for number in (9, 8)
    ]
    write_clip(tmp_path / "clip", iter(frames), seed=1)
    assert sorted(file.name for file in (tmp_path / "clip" / "img1").iterdir()) == [
        "000001.jpg",
        "000002.jpg",
    ]
    truth = (tmp_path / "clip" / "gt" / "gt.txt").read_text().splitlines()
    assert truth == ["1,2,1.00,2.00,3.00,4.00,1,1,0.500", "2,2,1.00,2.00,3.00,4.00,1,1,0.500"]
    for line in (tmp_path / "clip" / "det" / "det.txt").read_text().splitlines():
        assert len(line.split(",")) == 10 and line.split(",")[1] == "-1"
    facts = configparser.ConfigParser()
    facts.read(tmp_path / "clip" / "seqinfo.ini")
    said = facts["Sequence"]
    assert (said["seqLength"], said["imWidth"], said["imHeight"]) == ("2", "30", "20")
    assert int(said["frameRate"]) == FRAMES_A_SECOND


@pytest.mark.slow
def test_persons_are_drawn_where_their_boxes_say() -> None:
    """With and without somebody, the picture differs within the box, and where the shadow falls, alone."""
    settings = section(load_params(ROOT / "params.yaml"), "prepare_data.synthetic", SyntheticSettings)
    benchmark = Benchmark(load_body("open"), settings, 1)
    frames = list(draw_clip(benchmark, 3, num_persons=3, num_frames=2, seed=1))
    empty = next(draw_clip(benchmark, 3, num_persons=0, num_frames=1, seed=1))
    assert empty[1] == []
    for picture, seen in frames:
        assert picture.shape == empty[0].shape and seen
        assert {one.track for one in seen} <= {1, 2, 3} and all(0 < one.visible <= 1 for one in seen)
        changed = np.abs(picture.astype(int) - empty[0]).max(2) > 60
        inside = np.zeros_like(changed)
        for one in seen:
            left, top, width, height = one.ltwh
            inside[max(0, int(top)) : int(top + height) + 1, max(0, int(left)) : int(left + width) + 1] = True
        assert changed[inside].mean() > 0.2 and changed[~inside].mean() < 0.1
