from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt, MultipleOf

from pipeline.errors import PipelineError
from pipeline.params import Params, load_params, refuse_unknown, section, shared_keys


@dataclass(frozen=True)
class Optimiser:
    lr: Annotated[float, Gt(0)]
    betas: tuple[Annotated[float, Interval(ge=0, lt=1)], float]


@dataclass(frozen=True)
class Settings:
    seed: int
    name: str
    flip: bool
    mode: Literal["instance", "cluster"]
    splits: tuple[str, ...]
    limit: Annotated[int, Ge(2), MultipleOf(4)] | None
    optimiser: Optimiser
    extra: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.seed > 100 and self.flip:
            raise ValueError(f"seed is {self.seed}: expected at most 100 where flip is set")
        if self.name == "odd":
            raise ValueError("nothing fits")


GOOD = """
# A comment.
train:
  seed: 7
  name: a word
  flip: true
  mode: cluster
  splits: [train, query]
  limit: null
  optimiser:
    lr: 1e-4
    betas: [0, 0.999]
  extra: {anything: 1}
"""


def written(tmp_path: Path, text: str) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return load_params(path)


def test_a_section_becomes_its_settings(tmp_path: Path) -> None:
    settings = section(written(tmp_path, GOOD), "train", Settings)
    expected = Settings(
        7,
        "a word",
        True,
        "cluster",
        ("train", "query"),
        None,
        Optimiser(0.0001, (0.0, 0.999)),
        {"anything": 1},
    )
    assert settings == expected
    assert isinstance(settings.optimiser.betas[0], float)


def test_part_of_a_section_by_its_dotted_name(tmp_path: Path) -> None:
    assert section(written(tmp_path, GOOD), "train.optimiser", Optimiser) == Optimiser(0.0001, (0.0, 0.999))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lr: 1e-4", "rl: 1e-4", "params.yaml:11: train.optimiser.rl: unknown key; did you mean 'lr'?"),
        ("flip: true", "flap: true", "params.yaml:6: train.flap: unknown key; did you mean 'flip'?"),
        ("  limit: null\n", "", "params.yaml:3: train: missing limit; add it to params.yaml"),
        ("seed: 7", "seed: 7.0", "params.yaml:4: train.seed: expected an integer, got 7.0"),
        ("seed: 7", "seed: true", "params.yaml:4: train.seed: expected an integer, got True"),
        (
            "seed: 7",
            "seed: -7",
            "params.yaml:4: train.seed is -7: expected at least 0 and at most 1000000; set it so",
        ),
        ("seed: 7", "seed: 101", "params.yaml:4: train.seed is 101: expected at most 100 where flip is set"),
        ("name: a word", "name: odd", "params.yaml:3: train: nothing fits"),
        ("lr: 1e-4", "lr: 0", "params.yaml:11: train.optimiser.lr is 0: expected more than 0; set it so"),
        (
            "limit: null",
            "limit: 6",
            "params.yaml:9: train.limit is 6: expected at least 2 and a multiple of 4; set it so",
        ),
        (
            "[0, 0.999]",
            "[1, 0.999]",
            "params.yaml:12: train.optimiser.betas.0 is 1: expected at least 0 and less than 1; set it so",
        ),
        ("flip: true", "flip: 1", "params.yaml:6: train.flip: expected true or false, got 1"),
        ("lr: 1e-4", "lr: '1e-4'", "params.yaml:11: train.optimiser.lr: expected a number, got '1e-4'"),
        ("lr: 1e-4", "lr: .nan", "params.yaml:11: train.optimiser.lr: expected a number, got nan"),
        (
            "mode: cluster",
            "mode: clutser",
            "expected one of 'instance', 'cluster', got 'clutser'; did you mean 'cluster'?",
        ),
        ("[train, query]", "train", "params.yaml:8: train.splits: expected a list, got 'train'"),
        ("[0, 0.999]", "[0]", "params.yaml:12: train.optimiser.betas: expected 2 values, got 1: [0]"),
        ("[0, 0.999]", "[0, b]", "params.yaml:12: train.optimiser.betas.1: expected a number, got 'b'"),
        ("extra: {anything: 1}", "extra: 3", "params.yaml:13: train.extra: expected keys and values, got 3"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(PipelineError) as error:
        section(written(tmp_path, GOOD.replace(old, new)), "train", Settings)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("bounds", "inside", "outside"),
    [
        ((), [0, 1e6], [-1e-9, 1.1e6, 1e300]),
        ((Ge(-2),), [-2, 0], [-2.1]),
        ((Gt(0),), [1e-9], [0, -1]),
        ((Le(3),), [3, -4], [3.1]),
        ((Lt(3),), [2.9], [3]),
        ((Interval(gt=0, le=1),), [0.1, 1], [0, 1.1]),
        ((Ge(4), MultipleOf(4)), [4, 12], [0, 6]),
    ],
)
def test_a_number_keeps_the_range_of_its_field(
    tmp_path: Path, bounds: tuple[Any, ...], inside: list[float], outside: list[float]
) -> None:
    hint: Any = Annotated[float, *bounds] if bounds else float
    ranged = make_dataclass("Ranged", [("x", hint), ("many", tuple[hint, ...])], frozen=True)
    for value in inside:
        params = written(tmp_path, f"a: {{x: {value}, many: [{value}, {value}]}}")
        assert section(params, "a", ranged) == ranged(value, (value, value))
    for value in outside:
        for text in (f"x: {value}, many: []", f"x: {inside[0]}, many: [{inside[0]}, {value}]"):
            with pytest.raises(PipelineError, match=r"^params\.yaml:1: a.* is .*: expected .*; set it so"):
                section(written(tmp_path, f"a: {{{text}}}"), "a", ranged)


def test_an_unknown_section_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        PipelineError, match=r"no key 'trian' at the top of params.yaml; did you mean 'train'\?"
    ):
        section(written(tmp_path, GOOD), "trian", Settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "not valid YAML"),
        ("a: 1\na: 2\n", "params.yaml:2: not valid YAML: found duplicate key"),
        ("- 1\n", "expected sections of keys, got list"),
    ],
)
def test_a_file_that_is_no_params(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message) as error:
        written(tmp_path, text)
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot be read"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"lr: 1\nname: caf\xe9\n", "params.yaml:2: not UTF-8 (byte 0xe9); save it as UTF-8"),
        ("lr: 1\n".encode("utf-16"), "params.yaml:1: not UTF-8 (byte 0xff); save it as UTF-8"),
        (b"lr: \x00\n", "params.yaml: not valid YAML: unacceptable character"),
        (b"lr: 1\nlr: 2\n", "params.yaml:2: not valid YAML: found duplicate key"),
        (b"day: 2026-99-99\n", "params.yaml: not valid YAML: month must be in"),
        (b"seed: " + 5000 * b"9", "params.yaml: not valid YAML: Exceeds the limit"),
        (5000 * b"[" + b"\n", "params.yaml: nested too deep"),
        (b"a: &a {b: *a}\n", "params.yaml:1: aliases (*name) are not read: write the value out"),
        (b"a: !!python/object:os.system {}\n", "params.yaml:1: not valid YAML: could not determine"),
        (b"- a\n", "params.yaml: expected sections of keys, got list"),
    ],
)
def test_what_is_no_params_file_is_told_in_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(PipelineError) as error:
        load_params(tmp_path / "params.yaml")
    assert str(error.value).startswith(told) and "\n" not in str(error.value) and len(str(error.value)) < 250


def test_a_file_that_begins_with_its_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"\xef\xbb\xbflr: 1\n")
    assert load_params(tmp_path / "params.yaml").values == {"lr": 1}


@pytest.mark.parametrize(
    "value", ["9" * 4000, "-" + "9" * 4000, 300 * "x", "[" + 300 * "1, " + "]", "18446744073709551616"]
)
@pytest.mark.parametrize("key", ["count", "share", "name", "whole"])
def test_values_of_any_length_are_refused_in_a_line(tmp_path: Path, key: str, value: str) -> None:
    @dataclass(frozen=True)
    class Settings:
        """All kinds of values."""

        count: int
        share: float
        name: Literal["a", "b"]
        whole: bool

    values = {"count": "1", "share": "0.5", "name": "a", "whole": "true"} | {key: value}
    text = "".join(f"  {name}: {one}\n" for name, one in values.items())
    (tmp_path / "params.yaml").write_text(f"toy:\n{text}")
    with pytest.raises(PipelineError, match=rf"params\.yaml:\d: toy\.{key}") as error:
        section(load_params(tmp_path / "params.yaml"), "toy", Settings)
    assert "\n" not in str(error.value) and len(str(error.value)) < 250


def test_words_are_printable_and_not_endless(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Settings:
        """A path."""

        body: str

    for value in ('"a\\0b"', '"a\\nb"', 2000 * "x"):
        (tmp_path / "params.yaml").write_text(f"toy: {{body: {value}}}\n")
        with pytest.raises(PipelineError, match=r"toy\.body: expected at most 1,000 print"):
            section(load_params(tmp_path / "params.yaml"), "toy", Settings)


def test_keys_that_are_no_words(tmp_path: Path) -> None:
    for key in ("1", "true", "[a, b]", '"a\\nb"', 300 * "x", "null"):
        (tmp_path / "params.yaml").write_text(f"toy:\n  ? {key}\n  : 1\n")
        with pytest.raises(PipelineError, match="unknown key") as error:
            section(load_params(tmp_path / "params.yaml"), "toy", Limits)
        assert "\n" not in str(error.value) and len(str(error.value)) < 250


@dataclass(frozen=True)
class Limits:
    """One number."""

    share: float


@dataclass(frozen=True)
class Clusters:
    eps: float
    k1: Annotated[int, Ge(2)] = field(metadata={"shared": "clustering.k1"})

    def __post_init__(self) -> None:
        if self.k1 == 13:
            raise ValueError("k1 is 13: expected luck")


@dataclass(frozen=True)
class Stage:
    clustering: Clusters
    extra: Optimiser = field(metadata={"shared": "optimiser"})


SHARED = """
clustering:
  k1: 30
optimiser: {lr: 0.1, betas: [0, 0]}
first:
  clustering: {eps: 0.5}
second:
  clustering: {eps: 0.6}
"""
STAGES = {"first": Stage, "second": Stage}


def test_what_sections_share_stands_once(tmp_path: Path) -> None:
    params = written(tmp_path, SHARED)
    assert section(params, "first", Stage) == Stage(Clusters(0.5, 30), Optimiser(0.1, (0.0, 0.0)))
    assert section(params, "second", Stage).clustering == Clusters(0.6, 30)
    assert section(params, "second.clustering", Clusters) == Clusters(0.6, 30)
    assert shared_keys(Stage) == ["clustering.k1", "optimiser"]
    refuse_unknown(params, STAGES)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "k1: 30",
            "k1: 1",
            "params.yaml:3: clustering.k1 is 1: expected at least 2; set it so in params.yaml",
        ),
        ("k1: 30", "k1: 13", "params.yaml:3: clustering.k1 is 13: expected luck"),
        ("k1: 30", "k2: 30", "params.yaml:2: clustering.k1: no key 'k1' in 'clustering'; did you mean 'k2'?"),
        (
            "lr: 0.1",
            "lr: 0",
            "params.yaml:4: optimiser.lr is 0: expected more than 0; set it so in params.yaml",
        ),
        (
            "eps: 0.5",
            "eps: 0.5, k1: 12",
            "params.yaml:6: first.clustering.k1: unknown key; stages share it: set clustering.k1",
        ),
        ("k1: 30", "k1: 30\n  k3: 1", "params.yaml:4: clustering.k3: unknown key; did you mean 'k1'?"),
        ("second:", "secnd:", "params.yaml:7: secnd: unknown key; did you mean 'second'?"),
    ],
)
def test_what_is_wrong_in_shared_sections(tmp_path: Path, old: str, new: str, message: str) -> None:
    params = written(tmp_path, SHARED.replace(old, new))
    with pytest.raises(PipelineError) as error:
        section(params, "first", Stage)
        refuse_unknown(params, STAGES)
    assert str(error.value) == message
