"""What every way of making views is measured by. N photographs, Y angles, D embedding width."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields

import numpy as np

from benchmarks.photographs.errors import Errors, errors_of
from benchmarks.photographs.finding import Found, all_sides, centred, one_side, other_sides, ranked
from benchmarks.photographs.judge import Judge
from benchmarks.photographs.ways import People, Shown, Way
from genreid.render.views import YAWS_DEG

TURNS_DEG = tuple(yaw for yaw in YAWS_DEG if yaw)
LISTS = ("all sides", "other sides", "side asked for")
"""Of photographs in the other camera: any of the person; without those from the image's own side; those from
the side that the view claims to show, alone."""


@dataclass(frozen=True)
class Measured:
    """One way. errors: each (N, Y), NaN where there is no true photograph. found: by LISTS, each (N, Y).
    embedding: (Y, N, D) unit rows of the views. cpu_ms: of a view."""

    name: str
    errors: Errors
    found: dict[str, Found]
    embedding: np.ndarray
    cpu_ms: float

    def figures(self) -> dict[str, np.ndarray]:
        """All of them by name, each (N, Y); shares and errors from 0 to 1."""
        figures = {field.name: getattr(self.errors, field.name) for field in fields(Errors)}
        for name, found in self.found.items():
            figures |= {f"{name}, rank-1": found.first, f"{name}, mAP": found.precision}
        return figures


class Scale:
    """People: who are judged, and where the best estimates see them. embedding: (N, D) of the photographs."""

    def __init__(self, people: People, judge: Judge) -> None:
        self.people, self.judge = people, judge
        self.photographs = people.photographs
        self.index = np.arange(len(self.photographs))
        pictures = self.photographs.load(self.index)
        self.embedding, self._maps = judge.look(pictures)
        self._real = self.centred(self.embedding)

    def centred(self, rows: np.ndarray) -> np.ndarray:
        """(N, D) rows that stand for the photographs, less the mean of their camera's."""
        camera = self.photographs.camera
        return centred(rows, camera, self.embedding, camera)

    def measure(self, name: str, make: Way) -> Measured:
        begin = time.process_time()
        views = [make(self.index, yaw_deg) for yaw_deg in TURNS_DEG]
        cpu_ms = 1e3 * (time.process_time() - begin) / (len(views) * len(self.index))
        columns, rows = [], []
        for shown, yaw_deg in zip(views, TURNS_DEG, strict=True):
            embedding, maps = self.judge.look(shown.pictures)
            columns.append(self._errors(shown, maps, yaw_deg))
            rows.append(embedding)
        errors = [
            np.stack([getattr(column, field.name) for column in columns], 1) for field in fields(Errors)
        ]
        by_turn = [self.found(one, yaw) for one, yaw in zip(rows, TURNS_DEG, strict=True)]
        found = {
            name: Found(
                np.stack([one[name].first for one in by_turn], 1),
                np.stack([one[name].precision for one in by_turn], 1),
            )
            for name in LISTS
        }
        return Measured(name, Errors(*errors), found, np.stack(rows), cpu_ms)

    def found(self, rows: np.ndarray, yaw_deg: int) -> dict[str, Found]:
        """What rows (N, D) that stand for the photographs, turned by an angle, find; by LISTS."""
        similarity = self.centred(rows) @ self._real.T
        asked = (
            all_sides(self.photographs, self.index),
            other_sides(self.photographs, self.index),
            one_side(self.photographs, self.index, yaw_deg),
        )
        return {name: ranked(similarity, lists) for name, lists in zip(LISTS, asked, strict=True)}

    def _errors(self, shown: Shown, maps: np.ndarray, yaw_deg: int) -> Errors:
        """(N,) each."""
        target = self.photographs.turned(self.index, yaw_deg)
        known = np.flatnonzero(target >= 0)
        true = self.people.as_they_are(target[known])
        part = Shown(shown.pictures[known], shown.share[known], shown.waist[known], shown.settled)
        errors = errors_of(part, true, maps[known], self._maps[target[known]])
        whole = []
        for field in fields(Errors):
            column = np.full(len(self.index), np.nan)
            column[known] = getattr(errors, field.name)
            whole.append(column)
        return Errors(*whole)


def over_persons(values: np.ndarray, person: np.ndarray) -> tuple[float, float]:
    """Mean over persons of each one's mean, and its standard error; values (N, …), NaN left out."""
    means = []
    for one in np.unique(person):
        own = values[person == one]
        if np.isfinite(own).any():
            means.append(np.nanmean(own))
    spread = np.std(means, ddof=1) / np.sqrt(len(means)) if len(means) > 1 else float("nan")
    return float(np.mean(means)) if means else float("nan"), float(spread)
