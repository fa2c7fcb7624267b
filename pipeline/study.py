"""Studies: arms that are compared over several warm-ups and seeds, described in recipes/studies/NAME.yaml.

A study names the params that each arm changes, and the warm-ups and seeds that each is trained with. What a
finished trial came to is a row (pipeline/study_rows.py), and a trial that has its row is never run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.params import Params, load_params, nearest
from pipeline.recipes import load_overrides

STUDIES = "recipes/studies"
_ARM_KEYS = (("about", "params"), ("warm_ups", "seeds"))
_STUDY_KEYS = (
    ("title", "reference", "common", "warm_ups", "seeds", "arms"),
    ("recipe", "contrasts", "series", "pictured"),
)
"""Those that a study has to have, and those that it may have."""

_WARM_UP_SEEDS = ("pretrain_encoder.seed", "pretrain_generator.seed")
_SEED = "train_joint.seed"


@dataclass(frozen=True)
class Arm:
    """One way to train.

    params: {dotted key: value} that it changes; about: what it is, in half a line. pairs: warm-up and seed of
    each of its trials.
    """

    name: str
    about: str
    params: Mapping[str, Any]
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Contrast:
    """What `arm` has over `against`, for those who ask something else than the reference answers."""

    question: str
    arm: str
    against: str


@dataclass(frozen=True)
class Point:
    """Where the gain of `arm` of `study` over that study's reference stands in a series."""

    study: str
    arm: str
    x: float


@dataclass(frozen=True)
class Study:
    """name: of its file. reference: the arm that all others are compared with, pair by pair.

    common: params of all arms, those of a recipe first where the study names one. contrasts: further pairs
    of arms that the report compares. series: by what is varied, the arms along which the gain is drawn, of
    this study or of others. pictured: the arms whose curves over viewpoints are drawn; all by default.
    """

    name: str
    title: str
    reference: str
    common: Mapping[str, Any]
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...] = ()
    series: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    pictured: tuple[str, ...] = ()

    def trials(self, split: str, arms: Sequence[str] = ()) -> list[Trial]:
        """All trials of the study, or of some of its arms: warm-up by warm-up, seed by seed, arm by arm, so
        that whatever is finished when it stops can be compared.
        """
        self._require(arms)
        chosen = [arm for arm in self.arms if not arms or arm.name in arms]
        found = [
            Trial(self.name, arm, warm_up, seed, split, self._overrides(arm, warm_up, seed, split))
            for arm in chosen
            for warm_up, seed in arm.pairs
        ]
        return sorted(found, key=lambda trial: (trial.warm_up, trial.seed))

    def _overrides(self, arm: Arm, warm_up: int, seed: int, split: str) -> dict[str, Any]:
        seeds = dict.fromkeys(_WARM_UP_SEEDS, warm_up) | {_SEED: seed}
        return dict(self.common) | dict(arm.params) | seeds | {"evaluate.split": split}

    def _require(self, arms: Sequence[str]) -> None:
        known = [arm.name for arm in self.arms]
        for name in arms:
            if name not in known:
                raise PipelineError(f"study {self.name} has no arm '{name}'{nearest(name, known)}")


@dataclass(frozen=True)
class Trial:
    """One training run of a study. overrides: {dotted key: value} for `dvc exp run -S`."""

    study: str
    arm: Arm
    warm_up: int
    seed: int
    split: str
    overrides: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The experiment's name in DVC."""
        suffix = "" if self.split == "val" else f"-{self.split}"
        return f"{self.study}-{self.arm.name}-w{self.warm_up}-s{self.seed}{suffix}"

    @property
    def key(self) -> tuple[str, ...]:
        """Its values in the columns `KEYS`."""
        return (self.study, self.arm.name, str(self.warm_up), str(self.seed), self.split)

    @property
    def before_joint(self) -> tuple[tuple[str, str], ...]:
        """What it shares with others: all params but those of joint training and evaluation."""
        own = ("train_joint.", "evaluate.")
        return tuple(sorted((k, repr(v)) for k, v in self.overrides.items() if not k.startswith(own)))


def study_names(root: Path) -> list[str]:
    """The studies of the project, sorted."""
    return sorted(path.stem for path in (root / STUDIES).glob("*.yaml"))


def load_study(root: Path, name: str) -> Study:
    """The study `name` of the project. Raises PipelineError for anything in its file that cannot be."""
    path = root / STUDIES / f"{name}.yaml"
    if not path.exists():
        known = study_names(root)
        raise PipelineError(f"no study '{name}' in {STUDIES}/{nearest(name, known)}")
    file, params = load_params(path), load_params(root / "params.yaml")
    _require_keys(file, "", file.values, *_STUDY_KEYS)
    common = load_overrides(params, root / "recipes", file.value("recipe")) if "recipe" in file.values else {}
    common |= _known(file, "common", params)
    warm_ups, seeds = _seeds(file, "warm_ups"), _seeds(file, "seeds")
    arms = tuple(_arm(file, name, params, warm_ups, seeds) for name in file.value("arms"))
    known = [arm.name for arm in arms]
    reference = str(file.value("reference"))
    _require_arms(file.place("reference"), [reference], known)
    return Study(
        name,
        str(file.value("title")),
        reference,
        common,
        arms,
        contrasts=_contrasts(file, known) if "contrasts" in file.values else (),
        series=_series(file, name, known) if "series" in file.values else {},
        pictured=_pictured(file, known) if "pictured" in file.values else tuple(known),
    )


def _contrasts(file: Params, known: Sequence[str]) -> tuple[Contrast, ...]:
    found = []
    for question, pair in file.value("contrasts").items():
        place = file.place(f"contrasts.{question}")
        if not isinstance(pair, list) or len(pair) != 2:
            raise PipelineError(f"{place}: expected two arms, [one, against another], found {pair!r}")
        _require_arms(place, pair, known)
        found.append(Contrast(str(question), *pair))
    return tuple(found)


def _series(file: Params, name: str, known: Sequence[str]) -> dict[str, tuple[Point, ...]]:
    """`ARM: x` or, for an arm of another study, `STUDY/ARM: x`."""
    found = {}
    for title, points in file.value("series").items():
        place = file.place(f"series.{title}")
        if not isinstance(points, Mapping) or not all(type(x) in (int, float) for x in points.values()):
            raise PipelineError(
                f"{place}: expected arms and their numbers, {{arm: 1, other: 2}}, got {points!r}"
            )
        _require_arms(place, [arm for arm in points if "/" not in str(arm)], known)
        found[str(title)] = tuple(
            Point(own.rpartition("/")[0] or name, own.rpartition("/")[2], float(x))
            for own, x in points.items()
        )
    return found


def _pictured(file: Params, known: Sequence[str]) -> tuple[str, ...]:
    names, place = file.value("pictured"), file.place("pictured")
    if not isinstance(names, list):
        raise PipelineError(f"{place}: expected arms, [one, another], got {names!r}")
    _require_arms(place, names, known)
    return tuple(names)


def _require_arms(place: str, names: Sequence[Any], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise PipelineError(f"{place}: no arm '{name}'{nearest(str(name), known)}")


def _arm(file: Params, name: str, params: Params, warm_ups: tuple[int, ...], seeds: tuple[int, ...]) -> Arm:
    place = f"arms.{name}"
    _require_keys(file, place, file.value(place), *_ARM_KEYS)
    own = file.value(place)
    return Arm(
        name,
        str(own["about"]),
        _known(file, f"{place}.params", params),
        _pairs(file, place, warm_ups, seeds),
    )


def _pairs(
    file: Params, place: str, warm_ups: tuple[int, ...], seeds: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Warm-ups × seeds, the arm's own where it names them, or `warm_ups: {warm-up: seeds}`."""
    own = file.value(place)
    if isinstance(own.get("warm_ups"), Mapping):
        if "seeds" in own:
            raise PipelineError(
                f"{file.place(f'{place}.seeds')}: its warm_ups name their seeds: leave this out"
            )
        where = file.place(f"{place}.warm_ups")
        _integers(where, list(own["warm_ups"]))
        named = {warm_up: _integers(where, values) for warm_up, values in own["warm_ups"].items()}
        return tuple((warm_up, seed) for warm_up, own_seeds in named.items() for seed in own_seeds)
    warm_ups = _seeds(file, f"{place}.warm_ups") if "warm_ups" in own else warm_ups
    seeds = _seeds(file, f"{place}.seeds") if "seeds" in own else seeds
    return tuple((warm_up, seed) for warm_up in warm_ups for seed in seeds)


def _require_keys(
    file: Params, place: str, values: Any, required: Sequence[str], optional: Sequence[str]
) -> None:
    if not isinstance(values, Mapping):
        raise PipelineError(f"{file.place(place)}: expected keys and values, got {values!r}")
    known = [*required, *optional]
    for key in values:
        if key not in known:
            where = f"{place}.{key}".lstrip(".")
            raise PipelineError(f"{file.place(where)}: unknown key{nearest(str(key), known)}")
    if missing := [key for key in required if key not in values]:
        raise PipelineError(f"{file.place(place)}: missing {', '.join(missing)}")


def _known(file: Params, place: str, params: Params) -> dict[str, Any]:
    """Dotted keys and values at `place`; each has to be a key of params.yaml."""
    values = file.value(place)
    if not isinstance(values, Mapping):
        raise PipelineError(f"{file.place(place)}: expected dotted keys and values, got {values!r}")
    for key in values:
        try:
            params.value(key)
        except PipelineError as error:
            raise PipelineError(f"{file.place(place)}: {key}: {error}") from None
    return dict(values)


def _seeds(file: Params, place: str) -> tuple[int, ...]:
    return _integers(file.place(place), file.value(place))


def _integers(place: str, values: Any) -> tuple[int, ...]:
    good = isinstance(values, list) and values and all(type(value) is int for value in values)
    if not good or len(set(values)) < len(values):
        raise PipelineError(f"{place}: expected different integers in a list, got {values!r}")
    return tuple(values)
