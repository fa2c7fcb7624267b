"""Settings that cannot be, done for real: one line with place and remedy, exit code 2, no traceback.

Cases that other tests hold are not repeated: a device that is not there (test_run), an unknown key of `paths`
(test_cli).
"""

from __future__ import annotations

import copy
import dataclasses
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pytest
from annotated_types import Interval
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.params import Params, load_params, refuse_unknown, section, shared_keys
from stages.shared.outputs import output_refusals
from stages.shared.paths import Paths
from stages.shared.sections import stage_settings
from tests.stages.odd_project import line_of, refused, write_checkpoints, write_inputs
from tests.stages.small_project import ROOT, SmallProject

OUT_OF_LIMITS: list[tuple[str, Any, str]] = [
    ("prepare_data.height_px", 66, "expected at least 16 and at most 4096 and a multiple of 4"),
    ("prepare_data.width_px", 8, "expected at least 16 and at most 4096 and a multiple of 4"),
    ("prepare_data.val_identities", -1, "expected at least 0"),
    ("prepare_data.synthetic.train_identities", 0, "expected at least 1"),
    ("prepare_data.synthetic.num_cameras", 1, "expected at least 2"),
    ("prepare_data.synthetic.min_images", 3, "expected at least 4"),
    ("prepare_data.synthetic.max_images", 7, "expected at least min_images, 8"),
    ("prepare_data.synthetic.height_px", 31, "expected at least 32"),
    ("fit_regressor.num_scenes", 0, "expected at least 1"),
    ("fit_regressor.num_held_out", 0, "expected at least 1"),
    ("fit_regressor.network.widths", [8, 0], "expected at least 1"),
    ("fit_regressor.warm_up_share", 2.0, "expected at least 0 and at most 1"),
    ("fit_regressor.distortion.scale", 1.0, "expected at least 0 and less than 1"),
    ("mesh_extract.images_per_shard", 0, "expected at least 1"),
    ("render_views.yaws_deg", [45, 90], "expected 0, the image's own viewpoint, and one or more others"),
    ("render_views.yaws_deg", [0, 400], "expected at least 0 and at most 359"),
    ("render_views.images_per_shard", -3, "expected at least 1"),
    ("pretrain_encoder.encoder.base_width", 4, "expected at least 8"),
    ("pretrain_encoder.encoder.num_stripes", 0, "expected at least 1"),
    ("pretrain_encoder.encoder.embedding_dim", 0, "expected at least 1"),
    ("pretrain_encoder.clustering.eps", -1, "expected more than 0 and less than 1"),
    ("clustering.k2", 90, "expected at most k1"),
    ("clustering.min_samples", 0, "expected at least 1"),
    ("pretrain_encoder.augmentation.flip", 1.5, "expected at least 0 and at most 1"),
    ("pretrain_encoder.augmentation.pad_px", -2, "expected at least 0"),
    ("pretrain_encoder.lr", -0.001, "expected more than 0"),
    ("pretrain_encoder.lr_step_epochs", 0, "expected at least 1"),
    ("pretrain_encoder.temperature", 0, "expected more than 0"),
    ("pretrain_encoder.identities_per_batch", 0, "expected at least 1"),
    ("pretrain_encoder.images_per_identity", 1, "expected at least 2"),
    ("pretrain_encoder.embed_batch_size", 0, "expected at least 1"),
    (
        "pretrain_generator.generator.decoder_width",
        18,
        "expected at least 4 and at most 8192 and a multiple of 4",
    ),
    ("pretrain_generator.generator.mlp_width", 0, "expected at least 1"),
    ("pretrain_generator.discriminator.num_scales", 0, "expected at least 1"),
    ("pretrain_generator.batch_size", 0, "expected at least 2"),
    ("pretrain_generator.steps_per_epoch", 0, "expected at least 1"),
    ("pretrain_generator.generation.mixup_alpha", 0, "expected more than 0"),
    ("pretrain_generator.generation.beta2", 1, "expected at least 0 and less than 1"),
    ("pretrain_generator.generation.r1_every", 0, "expected at least 1"),
    ("train_joint.batch_size", 1, "expected at least 2"),
    ("train_joint.generator_every", 0, "expected at least 1"),
    ("train_joint.epochs", 0, "expected at least 1"),
    ("train_joint.momentum", 0, "expected more than 0 and less than 1"),
    ("train_joint.contrast.num_negatives", 0, "expected at least 1"),
    ("train_joint.contrast.keep_old", 1.2, "expected at least 0 and at most 1"),
    ("train_joint.contrast.rotation_weight", -1, "expected at least 0"),
    ("evaluate.batch_size", 0, "expected at least 1"),
    ("evaluate.max_rank", 0, "expected at least 1"),
    ("evaluate.num_generated", 1, "expected at least 2"),
    ("evaluate.reranking", {"k1": 20, "k2": 6, "original_weight": 3}, "at most 1"),
    ("train_joint.steps_per_epoch", 2**31, "is 2147483648: expected at least 1 and at most 1000000"),
    ("train_joint.seed", 2**64, "is 18446744073709551616: expected at least 0 and at most 4294967295"),
    ("pretrain_encoder.epochs", 10**12, "expected at least 0 and at most 1000000"),
    ("pretrain_generator.generation.image", 1e300, "is 1e+300: expected at least 0 and at most 1000000"),
]
"""Numbers, whose ranges stand beside the fields."""

REFUSED: list[tuple[str, Any, str]] = [
    ("prepare_data.folder.train", "(", "no regular expression"),
    ("prepare_data.dataset", "market1502", "did you mean 'market1501'?"),
    ("prepare_data.dataset", "market1501", "set paths.dataset to the folder of its images"),
    ("fit_regressor.lr", "fast", "expected a number, got 'fast'"),
    ("mesh_extract.splits", ["test"], "expected one of 'train', 'query'"),
    ("mesh_extract.estimator", "grond_truth", "did you mean 'ground_truth'?"),
    ("mesh_extract.estimator", "ground_truth", "this data set has none"),
    ("render_views.backend", "opengl", "expected one of"),
    ("clustering.method", "fais", "expected one of"),
    ("pretrain_encoder.encoder.backbone", "resnet5", "backbone resnet5"),
    ("pretrain_encoder.encoder.pretrained", "weights.pth", "weights.pth"),
    (
        "train_joint.contrast.views",
        "none ",
        "expected one of 'generated', 'warped', 'augmented', 'copy_paste', 'none'",
    ),
    ("train_joint.precision", "float16", "expected one of 'auto', 'float32', 'bfloat16'"),
    ("evaluate.split", "tset", "did you mean 'test'?"),
    ("evaluate.test_views", ["mirrored"], "did you mean 'mirror'?"),
]
"""Words, and numbers that the science itself refuses."""


@pytest.mark.parametrize(("key", "value", "expected"), OUT_OF_LIMITS)
def test_a_number_out_of_its_limits_is_told_with_its_place(key: str, value: Any, expected: str) -> None:
    params = default_params()
    values = copy.deepcopy(dict(params.values))
    *parents, last = key.split(".")
    place = values
    for parent in parents:
        place = place[parent]
    assert last in place
    place[last] = value
    changed = dataclasses.replace(params, values=values)
    with pytest.raises(PipelineError) as error:
        section(changed, *read_from(key))
    message = str(error.value)
    assert message.startswith(f"params.yaml:{params.lines[key]}: {key}") and expected in message
    assert "\n" not in message


def read_from(key: str) -> tuple[str, type[Any]]:
    """A section that a key is read into, and its class."""
    top = key.partition(".")[0]
    return next(
        (name, made) for name, made in stage_settings().items() if name == top or key in shared_keys(made)
    )


def numbers_of(settings_class: type[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Every number's name and bounds, of the class and of those in it."""
    hints = typing.get_type_hints(settings_class, include_extras=True)
    waiting = [(f"{settings_class.__name__}.{name}", hint) for name, hint in hints.items()]
    while waiting:
        name, hint = waiting.pop()
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            yield from numbers_of(hint)
        elif typing.get_origin(hint) is Annotated:
            yield name, list(hint.__metadata__)
        else:
            waiting += [(name, inner) for inner in typing.get_args(hint) if not isinstance(inner, str)]


@pytest.mark.parametrize("stage", stage_settings())
def test_every_number_has_both_ends(stage: str) -> None:
    """Those without a range have the loader's, which `test_params` holds."""
    for name, bounds in numbers_of(stage_settings()[stage]):
        ends = [bound for bound in bounds if isinstance(bound, Interval)]
        assert len(ends) == 1, f"{name}: {bounds}"
        assert None not in (
            ends[0].ge if ends[0].gt is None else ends[0].gt,
            ends[0].le if ends[0].lt is None else ends[0].lt,
        ), name


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**320), 10**320)
    | st.sampled_from([0, -1, 2**31, 2**64, 10**12])
    | st.floats()
    | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


SECTIONS: dict[str, type[Any]] = {"paths": Paths} | stage_settings()


def test_every_section_is_fuzzed() -> None:
    shared = {key.partition(".")[0] for made in SECTIONS.values() for key in shared_keys(made)}
    assert SECTIONS.keys() | shared == default_params().values.keys()


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_whatever_stands_at_a_key_is_taken_or_refused_in_a_line(data: st.DataObject) -> None:
    """Types, signs, huge numbers, NaN, keys unknown, missing and at a wrong place: over all keys."""
    name = data.draw(st.sampled_from(["paths", *SECTIONS]))  # the first is small, and written to
    own = (f"{name}.", *shared_keys(SECTIONS[name]))
    key = data.draw(st.sampled_from([key for key in default_params().lines if key.startswith(own)]))
    values = copy.deepcopy(dict(default_params().values))
    *parents, last = key.split(".")
    place: Any = values
    for parent in parents:
        place = place[parent]
    kind = data.draw(st.sampled_from(["value", "unknown", "missing", "nested"]))
    match kind:
        case "value":
            place[last] = data.draw(JUNK)
        case "unknown":
            place[data.draw(st.text(max_size=300) | st.integers(-(10**310), 10**310) | st.booleans())] = 1
        case "missing":
            del place[last]
        case "nested":
            place[last] = {last: place[last]}
    changed = dataclasses.replace(default_params(), values=values)
    try:
        refuse_unknown(changed, SECTIONS)
        taken = section(changed, name, SECTIONS[name])
        told = [] if name != "paths" else list(output_refusals(Path("/nowhere/project"), changed))
    except PipelineError as error:
        assert is_one_line(str(error))
    else:
        assert kind not in ("unknown", "missing")
        assert isinstance(taken, SECTIONS[name]) and all(map(is_one_line, told))


def is_one_line(message: str) -> bool:
    return "\n" not in message and len(message) < 2000 and message.startswith("params.yaml")


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(max_size=40)
    | st.lists(st.sampled_from(["..", ".", "~", "~x", "/", "data", "", "a"])).map("/".join)
)
def test_whatever_path_is_named_is_taken_or_refused_in_a_line(text: str) -> None:
    values = {**default_params().values, "paths": {**default_params().values["paths"], "views": text}}
    try:
        told = list(
            output_refusals(Path("/nowhere/project"), dataclasses.replace(default_params(), values=values))
        )
    except PipelineError as error:
        told = [str(error)]
    assert all(map(is_one_line, told))


@cache
def default_params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.mark.parametrize(("key", "value", "expected"), REFUSED)
def test_an_impossible_value_is_refused_by_its_stage(
    small: SmallProject, checkpoints: dict[str, dict[str, Any]], key: str, value: Any, expected: str
) -> None:
    stage = read_from(key)[0].replace("_", "-")
    if stage != "prepare-data":
        write_inputs(small)
        write_checkpoints(small, checkpoints)
    small.set(**{key.replace(".", "__"): value})
    message = refused(small, stage)
    assert expected in message
    last = key.rpartition(".")[2]
    assert last in message or str(value) in message


def test_an_unknown_key_names_the_nearest_and_its_line(small: SmallProject) -> None:
    params = small.folder / "params.yaml"
    params.write_text(params.read_text().replace("  lr_step_epochs: 16", "  lr_step_epoch: 16"))
    write_inputs(small)
    line = line_of(small, "pretrain_encoder.lr_step_epoch")
    assert refused(small, "pretrain-encoder") == (
        f"params.yaml:{line}: pretrain_encoder.lr_step_epoch: unknown key; did you mean 'lr_step_epochs'?"
    )


def test_the_message_of_a_limit_whole(small: SmallProject) -> None:
    small.set(pretrain_encoder__lr=-0.1)
    line = line_of(small, "pretrain_encoder.lr")
    write_inputs(small)
    assert refused(small, "pretrain-encoder") == (
        f"params.yaml:{line}: pretrain_encoder.lr is -0.1: expected more than 0 and at most 100; "
        "set it so in params.yaml"
    )
