"""Values that no param may have, told before a stage begins rather than in its middle or by a traceback.

Types and unknown keys are the business of `pipeline.params`; here are numbers that the science cannot work
with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from pipeline.errors import PipelineError
from pipeline.params import Params


@dataclass(frozen=True)
class Limit:
    """The numbers from `least` to `most`; above, below: whether the bound itself is left out."""

    least: float = 0
    most: float = inf
    above: bool = False
    below: bool = False
    multiple_of: int = 1

    def allows(self, value: float) -> bool:
        return (
            (value > self.least if self.above else value >= self.least)
            and (value < self.most if self.below else value <= self.most)
            and (self.multiple_of == 1 or value % self.multiple_of == 0)
        )

    def __str__(self) -> str:
        parts = [f"{'more than' if self.above else 'at least'} {self.least:g}"]
        if self.most < inf:
            parts.append(f"{'less than' if self.below else 'at most'} {self.most:g}")
        if self.multiple_of > 1:
            parts.append(f"a multiple of {self.multiple_of}")
        return " and ".join(parts)


ANYTHING_ELSE = Limit()
"""Of numbers that are not listed: not negative."""

_AT_LEAST_1, _AT_LEAST_2 = Limit(1), Limit(2)
_POSITIVE = Limit(0, above=True)
_SHARE = Limit(0, 1)
_DECAY = Limit(0, 1, below=True)  # of a moving average
_TRAINING_SIZE = Limit(16, multiple_of=4)  # the generator halves it twice
_BATCH = _AT_LEAST_2  # batch norm needs something to compare

LIMITS: Mapping[str, Limit] = {
    "prepare_data.height_px": _TRAINING_SIZE,
    "prepare_data.width_px": _TRAINING_SIZE,
    "network.height_px": Limit(16),
    "network.width_px": Limit(16),
    "network.widths": _AT_LEAST_1,
    "head_width": _AT_LEAST_1,
    "num_scenes": _AT_LEAST_1,
    "num_held_out": _AT_LEAST_1,
    "fit_regressor.epochs": _AT_LEAST_1,
    "pretrain_generator.epochs": _AT_LEAST_1,
    "train_joint.epochs": _AT_LEAST_1,
    "steps_per_epoch": _AT_LEAST_1,
    "fit_regressor.batch_size": _BATCH,
    "pretrain_generator.batch_size": _BATCH,
    "train_joint.batch_size": _BATCH,
    "evaluate.batch_size": _AT_LEAST_1,
    "embed_batch_size": _AT_LEAST_1,
    "identities_per_batch": _AT_LEAST_1,
    "images_per_identity": _AT_LEAST_2,
    "images_per_shard": _AT_LEAST_1,
    "lr": _POSITIVE,
    "lr_step_epochs": _AT_LEAST_1,
    "warm_up_share": _SHARE,
    "beta1": _DECAY,
    "beta2": _DECAY,
    "momentum": Limit(0, 1, above=True, below=True),
    "keep_old": _SHARE,
    "temperature": _POSITIVE,
    "rotation_temperature": _POSITIVE,
    "prototype_temperature": _POSITIVE,
    "num_negatives": _AT_LEAST_1,
    "mixup_alpha": _POSITIVE,
    "r1_every": _AT_LEAST_1,
    "generator_every": _AT_LEAST_1,
    "k1": _AT_LEAST_1,
    "k2": _AT_LEAST_1,
    "eps": Limit(0, 1, above=True, below=True),
    "min_samples": _AT_LEAST_1,
    "original_weight": _SHARE,
    "mirror": _SHARE,
    "flip": _SHARE,
    "erase": _SHARE,
    "distortion.scale": _DECAY,
    "discriminator.width": _AT_LEAST_1,
    "num_scales": _AT_LEAST_1,
    "yaws_deg": Limit(0, 359),
    "max_rank": _AT_LEAST_1,
    "num_generated": _AT_LEAST_2,  # the spread of one image is nothing
    "num_ranked_lists": _AT_LEAST_1,
}
"""By the ends of dotted keys; the longest end that fits counts."""


def check_limits(params: Params, sections: Sequence[str]) -> None:
    """Raise PipelineError for the first number of these sections that is out of its limits."""
    for section in sections:
        for key, value in _numbers(section, params.value(section)):
            limit = limit_of(key)
            if not limit.allows(value):
                raise PipelineError(
                    f"{params.place(key)} is {value:g}: expected {limit}; set it so in {params.path.name}"
                )
        for key, mapping in _mappings(section, params.value(section)):
            _check_together(params, key, mapping)


def limit_of(key: str) -> Limit:
    """The limit of the dotted `key`."""
    parts = key.split(".")
    for start in range(len(parts)):
        if (limit := LIMITS.get(".".join(parts[start:]))) is not None:
            return limit
    return ANYTHING_ELSE


def _check_together(params: Params, key: str, values: Mapping[str, Any]) -> None:
    """What several values must keep to."""
    k1, k2 = values.get("k1"), values.get("k2")
    if isinstance(k1, int) and isinstance(k2, int) and k2 > k1:
        raise PipelineError(
            f"{params.place(f'{key}.k2')} is {k2} and k1 {k1}: expected at most k1, whose neighbours it "
            "averages over; lower k2 or raise k1"
        )
    yaws = values.get("yaws_deg")
    if isinstance(yaws, list) and (0 not in yaws or len(set(yaws)) < max(2, len(yaws))):
        raise PipelineError(
            f"{params.place(f'{key}.yaws_deg')} is {yaws}: expected 0, the image's own viewpoint, and one or "
            "more others, each once"
        )


def _numbers(key: str, value: Any) -> Iterator[tuple[str, float]]:
    """Every number at or below a dotted key; those of a list under the list's own key."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _numbers(f"{key}.{name}", part)
    elif isinstance(value, list):
        yield from ((key, number) for item in value for _, number in _numbers(key, item))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, value


def _mappings(key: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The mapping at a dotted key and all mappings in it."""
    if isinstance(value, Mapping):
        yield key, value
        for name, part in value.items():
            yield from _mappings(f"{key}.{name}", part)
