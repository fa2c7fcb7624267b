"""Studies: arms that are compared over several warm-ups and seeds, described in recipes/studies/NAME.yaml.

A study names the params that each arm changes, and the seeds that each is trained with from each warm-up.
What a finished trial came to is a row (stages/studies/rows.py); a trial that has its row is never run again.

A study in a folder, recipes/studies/PERIOD/NAME.yaml, is closed: its rows are of that period, with the views
and defaults of then, and it can be reported and not run. Its params are not held against those of today.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.params import Params, load_params, nearest
from pipeline.recipes import load_overrides

STUDIES = "recipes/studies"
_STUDY = (
    ("title", "reference", "common", "trials", "arms"),
    ("recipe", "warm_ups", "contrasts", "series", "pictured"),
)
_ARM = (("about", "params"), ("trials",))
"""Keys that there have to be, and those that there may be."""
ORACLE, NO_ORACLE = "train_joint.oracle", "none"
ORACLE_MARK = "(oracle)"
"""Behind the name of what learns from the truth."""


@dataclass(frozen=True)
class Arm:
    """One way to train.

    about: what it is, in half a line. params: {dotted key: value} that it changes. pairs: warm-up and seed of
    each of its trials.
    """

    name: str
    about: str
    params: Mapping[str, Any]
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Study:
    """name: of its file, with its period before it (`2026-11/mixup`) where it is closed. reference: the arm
    that all others are compared with, pair by pair.

    common: params of all arms, those of a recipe first where the study names one. warm_ups: params of all
    trials from a warm-up, by its number: of a fold, say. arms: by name. contrasts: further pairs of arms that
    the report compares, (one, against another) by question. series: by what is varied, the lines along which
    the gain is drawn, each of arms and their numbers; `STUDY/ARM` is one of another study. pictured: the arms
    whose curves over viewpoints are drawn.
    """

    name: str
    title: str
    reference: str
    common: Mapping[str, Any]
    arms: Mapping[str, Arm]
    contrasts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    series: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    pictured: Sequence[str] = ()
    warm_ups: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def period(self) -> str:
        """Of a closed study, when its rows were made; else empty."""
        return self.name.rpartition("/")[0]

    @property
    def in_rows(self) -> str:
        """What its rows call it."""
        return self.name.rpartition("/")[2]

    def title_of(self, arm: str) -> str:
        """The arm's name, marked where it learns from the truth: no rival, but what limits a gain."""
        params = {**self.common, **self.arms[arm].params} if arm in self.arms else {}
        return arm if params.get(ORACLE, NO_ORACLE) == NO_ORACLE else f"{arm} {ORACLE_MARK}"

    def trials(self, split: str, arms: Iterable[str] = (), warm_ups: Iterable[int] = ()) -> list[Trial]:
        """All trials of the study, or of some of its arms and warm-ups: warm-up by warm-up, seed by seed, arm
        by arm, so that whatever is finished when it stops can be compared.

        Raises PipelineError for an arm or a warm-up that the study lacks.
        """
        for name in arms:
            if name not in self.arms:
                raise PipelineError(f"study {self.name} has no arm '{name}'{nearest(name, self.arms)}")
        known = {warm_up for arm in self.arms.values() for warm_up, _ in arm.pairs}
        if missing := [number for number in warm_ups if number not in known]:
            has = ", ".join(str(number) for number in sorted(known))
            raise PipelineError(f"study {self.name} has no warm-up {missing[0]}: it has {has}")
        found = [
            Trial(self.name, arm, warm_up, seed, split, {**self.common, **self.warm_ups.get(warm_up, {})})
            for arm in self.arms.values()
            if not arms or arm.name in arms
            for warm_up, seed in arm.pairs
            if not warm_ups or warm_up in warm_ups
        ]
        return sorted(found, key=lambda trial: (trial.warm_up, trial.seed))


@dataclass(frozen=True)
class Trial:
    """One training run of a study."""

    study: str
    arm: Arm
    warm_up: int
    seed: int
    split: str
    common: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The experiment's name in DVC."""
        suffix = "" if self.split == "val" else f"-{self.split}"
        return f"{self.study}-{self.arm.name}-w{self.warm_up}-s{self.seed}{suffix}"

    @property
    def key(self) -> tuple[str, ...]:
        """Its values in the columns `rows.KEYS`."""
        return (self.study, self.arm.name, str(self.warm_up), str(self.seed), self.split)

    @property
    def overrides(self) -> dict[str, Any]:
        """{dotted key: value} for `dvc exp run -S`."""
        seeds = dict.fromkeys(("pretrain_encoder.seed", "pretrain_generator.seed"), self.warm_up)
        own = {"train_joint.seed": self.seed, "evaluate.split": self.split}
        return {**self.common, **self.arm.params, **seeds, **own}

    @property
    def before_joint(self) -> str:
        """What it shares with others: all params but those of joint training and evaluation."""
        own = ("train_joint.", "evaluate.")
        return repr(sorted(item for item in self.overrides.items() if not item[0].startswith(own)))


def study_names(root: Path) -> list[str]:
    """The studies of the project, the closed ones with their period, sorted."""
    folder = root / STUDIES
    found = [*folder.glob("*.yaml"), *folder.glob("*/*.yaml")]
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in found)


def load_study(root: Path, name: str) -> Study:
    """The study `name` of the project. Raises PipelineError for anything in its file that cannot be."""
    path = root / STUDIES / f"{name}.yaml"
    if not path.exists():
        raise PipelineError(f"no study '{name}' in {STUDIES}/{nearest(name, study_names(root))}")
    file, params = load_params(path), load_params(root / "params.yaml")
    own = _strict(file, "", *_STUDY)
    recipe = load_overrides(params, root / "recipes", own["recipe"]) if "recipe" in own else {}
    known = None if "/" in name else params
    arms = {arm: _arm(file, arm, known) for arm in _mapping(file, "arms")}
    pictured = own.get("pictured", list(arms))
    _require(file, "pictured", isinstance(pictured, list), "arms, [one, another]")
    _require_arms(file, "reference", [own["reference"]], arms)
    _require_arms(file, "pictured", pictured, arms)
    return Study(
        name,
        str(own["title"]),
        own["reference"],
        recipe | _known(file, "common", known),
        arms,
        contrasts=_contrasts(file, arms) if "contrasts" in own else {},
        series=_series(file, arms) if "series" in own else {},
        pictured=pictured,
        warm_ups=_warm_ups(file, arms, known) if "warm_ups" in own else {},
    )


def _arm(file: Params, name: str, params: Params | None) -> Arm:
    place = f"arms.{name}"
    own = _strict(file, place, *_ARM)
    trials = f"{place}.trials" if "trials" in own else "trials"
    return Arm(name, str(own["about"]), _known(file, f"{place}.params", params), _pairs(file, trials))


def _pairs(file: Params, place: str) -> tuple[tuple[int, int], ...]:
    """`{warm-up: [seed, seed]}`"""
    seeds = _mapping(file, place)
    good = all(isinstance(own, list) and own and len(set(own)) == len(own) for own in seeds.values())
    pairs = tuple((warm_up, seed) for warm_up, own in seeds.items() for seed in own) if good else ()
    numbers = all(type(number) is int for pair in pairs for number in pair)
    _require(file, place, bool(pairs) and numbers, "different integers, {warm-up: [seed, seed]}")
    return pairs


def _warm_ups(file: Params, arms: Mapping[str, Arm], params: Params | None) -> dict[int, dict[str, Any]]:
    numbers = sorted({warm_up for arm in arms.values() for warm_up, _ in arm.pairs})
    found = _mapping(file, "warm_ups")
    good = all(warm_up in numbers and isinstance(own, Mapping) for warm_up, own in found.items())
    _require(
        file, "warm_ups", good, f"params by warm-up ({', '.join(map(str, numbers))}), {{1: {{key: value}}}}"
    )
    return {warm_up: _held(file, "warm_ups", own, params) for warm_up, own in found.items()}


def _contrasts(file: Params, arms: Mapping[str, Arm]) -> dict[str, tuple[str, str]]:
    for question, pair in _mapping(file, "contrasts").items():
        place = f"contrasts.{question}"
        _require(file, place, isinstance(pair, list) and len(pair) == 2, "two arms, [one, against another]")
        _require_arms(file, place, pair, arms)
    return {question: (one, other) for question, (one, other) in file.value("contrasts").items()}


def _series(file: Params, arms: Mapping[str, Arm]) -> dict[str, Mapping[str, Mapping[str, float]]]:
    for title in _mapping(file, "series"):
        for line, points in _mapping(file, f"series.{title}").items():
            place = f"series.{title}.{line}"
            numbers = isinstance(points, Mapping) and all(type(x) in (int, float) for x in points.values())
            _require(file, place, numbers, "arms and their numbers, {arm: 1, other: 2}")
            _require_arms(file, place, [arm for arm in points if "/" not in arm], arms)
    return dict(file.value("series"))


def _strict(file: Params, place: str, required: Sequence[str], optional: Sequence[str]) -> Mapping[str, Any]:
    """The keys and values at `place`, none too many and none missing."""
    values, known = _mapping(file, place), [*required, *optional]
    for key in values:
        if key not in known:
            where = file.place(f"{place}.{key}".lstrip("."))
            raise PipelineError(f"{where}: unknown key{nearest(str(key), known)}")
    if missing := [key for key in required if key not in values]:
        raise PipelineError(f"{file.place(place)}: missing {', '.join(missing)}")
    return values


def _known(file: Params, place: str, params: Params | None) -> dict[str, Any]:
    return _held(file, place, _mapping(file, place), params)


def _held(file: Params, place: str, values: Mapping[str, Any], params: Params | None) -> dict[str, Any]:
    """Dotted keys and values, found at `place`; each has to be a key of params.yaml, where that is given."""
    for key in values:
        try:
            if params is not None:
                params.value(key)
        except PipelineError as error:
            raise PipelineError(f"{file.place(place)}: {key}: {error}") from None
    return dict(values)


def _mapping(file: Params, place: str) -> Mapping[Any, Any]:
    values = file.value(place) if place else file.values
    if not isinstance(values, Mapping):
        raise PipelineError(f"{file.place(place)}: expected keys and values, got {values!r}")
    return values


def _require(file: Params, place: str, good: bool, expected: str) -> None:
    if not good:
        raise PipelineError(f"{file.place(place)}: expected {expected}, got {file.value(place)!r}")


def _require_arms(file: Params, place: str, names: Iterable[Any], arms: Mapping[str, Arm]) -> None:
    for name in names:
        if name not in arms:
            raise PipelineError(f"{file.place(place)}: no arm '{name}'{nearest(str(name), arms)}")
