"""The checkpoint format: plain types and tensors only, so that every file loads with `weights_only=True`.

A checkpoint is a dict with `format` (what it is), `version`, the settings that rebuild the networks, and
their weights. A joint checkpoint holds an encoder's and a generator's. Files are the caller's affair;
`source` names the place in errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.finite import require_finite
from genreid.models.generator import Generator
from genreid.models.settings import DiscriminatorSettings, EncoderSettings, GeneratorSettings
from genreid.preprocessing import Preprocessing

ENCODER_FORMAT = "genreid.encoder"
GENERATOR_FORMAT = "genreid.generator"
JOINT_FORMAT = "genreid.joint"
VERSION = 2
NO_ORACLE = "none"

Network = TypeVar("Network", bound=nn.Module)
Settings = TypeVar("Settings", EncoderSettings, GeneratorSettings, DiscriminatorSettings)


def encoder_checkpoint(
    encoder: IdentityEncoder, prepared: Preprocessing, *, matches: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """All that `load_encoder` needs, and how its pictures are prepared; weights are copies on the CPU.

    matches: what its similarities say of whether two images are of one person, as plain types; None where
    nobody has counted.
    """
    return {
        "format": ENCODER_FORMAT,
        "version": VERSION,
        "preprocessing": prepared.as_plain(),
        "matches": None if matches is None else dict(matches),
        "settings": asdict(encoder.settings),
        "weights": _weights(encoder),
    }


def generator_checkpoint(
    generator: Generator, discriminator: Discriminator, prepared: Preprocessing
) -> dict[str, Any]:
    """All that `load_generator` needs, and how its pictures are prepared; weights are copies on the CPU."""
    return {
        "format": GENERATOR_FORMAT,
        "version": VERSION,
        "preprocessing": prepared.as_plain(),
        "generator_settings": asdict(generator.settings),
        "discriminator_settings": asdict(discriminator.settings),
        "appearance_dim": generator.appearance_dim,
        "num_stripes": generator.num_stripes,
        "generator_weights": _weights(generator),
        "discriminator_weights": _weights(discriminator),
    }


def joint_checkpoint(
    encoder: IdentityEncoder,
    generator: Generator,
    discriminator: Discriminator,
    prepared: Preprocessing,
    *,
    oracle: str = NO_ORACLE,
    matches: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What joint training leaves: both checkpoints in one.

    oracle: what it was told of the truth, in a study. matches: see `encoder_checkpoint`.
    """
    return {
        "format": JOINT_FORMAT,
        "version": VERSION,
        "oracle": oracle,
        "encoder": encoder_checkpoint(encoder, prepared, matches=matches),
        "generator": generator_checkpoint(generator, discriminator, prepared),
    }


def load_encoder(checkpoint: Mapping[str, Any], source: str = "encoder checkpoint") -> IdentityEncoder:
    """The encoder of an encoder checkpoint or a joint one, in evaluation mode. Raises GenreidError."""
    checkpoint = _expect(checkpoint, ENCODER_FORMAT, "encoder", source)
    settings = _settings(EncoderSettings, _part(checkpoint, "settings", source), source)
    return _rebuilt(lambda: IdentityEncoder(settings), _part(checkpoint, "weights", source), source)


def oracle_of(checkpoint: Mapping[str, Any], source: str = "joint checkpoint") -> str | None:
    """What its training was told of the truth, or None: whoever uses it, or tells its figures, has to say so.

    Raises GenreidError for a joint checkpoint that does not say.
    """
    if not isinstance(checkpoint, Mapping) or checkpoint.get("format") != JOINT_FORMAT:
        return None
    oracle: str = _part(checkpoint, "oracle", source)
    return None if oracle == NO_ORACLE else oracle


def preprocessing_of(checkpoint: Mapping[str, Any], source: str = "checkpoint") -> Preprocessing:
    """How pictures have to be prepared for the networks of a checkpoint of any kind.

    Raises GenreidError where it does not say, and where this program prepares them otherwise.
    """
    kind = checkpoint.get("format") if isinstance(checkpoint, Mapping) else None
    expected, part = (
        (GENERATOR_FORMAT, "generator") if kind == GENERATOR_FORMAT else (ENCODER_FORMAT, "encoder")
    )
    values = _part(_expect(checkpoint, expected, part, source), "preprocessing", source)
    return Preprocessing.from_plain(values, source, "train it again")


def matches_of(checkpoint: Mapping[str, Any], source: str = "encoder checkpoint") -> Mapping[str, Any] | None:
    """What an encoder's or joint checkpoint was given as `matches`, in plain types. Raises GenreidError."""
    found = _expect(checkpoint, ENCODER_FORMAT, "encoder", source).get("matches")
    if found is not None and not isinstance(found, Mapping):
        raise GenreidError(f"{source}: its matches are no table, it is damaged; train it again")
    return found


def load_generator(
    checkpoint: Mapping[str, Any], source: str = "generator checkpoint"
) -> tuple[Generator, Discriminator]:
    """Both networks of a generator checkpoint or a joint one, in evaluation mode. Raises GenreidError."""
    checkpoint = _expect(checkpoint, GENERATOR_FORMAT, "generator", source)
    settings = _settings(GeneratorSettings, _part(checkpoint, "generator_settings", source), source)
    shape = _part(checkpoint, "appearance_dim", source), _part(checkpoint, "num_stripes", source)
    judge = _part(checkpoint, "discriminator_settings", source)
    judge_settings = _settings(DiscriminatorSettings, judge, source)
    weights = (_part(checkpoint, f"{name}_weights", source) for name in ("generator", "discriminator"))
    generator = _rebuilt(lambda: Generator(settings, *shape), next(weights), source)
    return generator, _rebuilt(lambda: Discriminator(judge_settings), next(weights), source)


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def _expect(checkpoint: Mapping[str, Any], expected: str, part: str, source: str) -> Mapping[str, Any]:
    """The checkpoint itself, or its `part` when it is a joint one; checked for format and version."""
    if isinstance(checkpoint, Mapping) and checkpoint.get("format") == JOINT_FORMAT:
        _check_version(checkpoint, source)
        checkpoint = checkpoint.get(part, {})
    if not isinstance(checkpoint, Mapping) or checkpoint.get("format") != expected:
        raise GenreidError(_mismatch(checkpoint, expected, source))
    _check_version(checkpoint, source)
    return checkpoint


def _part(checkpoint: Mapping[str, Any], name: str, source: str) -> Any:
    try:
        return checkpoint[name]
    except KeyError:
        raise GenreidError(f"{source}: has no {name!r}, it is damaged; train it again") from None


def _mismatch(checkpoint: object, expected: str, source: str) -> str:
    found = checkpoint.get("format") if isinstance(checkpoint, Mapping) else type(checkpoint).__name__
    if expected == ENCODER_FORMAT and found is None:
        return (
            f"{source}: expected a checkpoint of format {expected!r}, found another program's; to bring one "
            "in, name it in pretrain_encoder.import_from and run pretrain-encoder"
        )
    return f"{source}: expected a checkpoint of format {expected!r}, found {found!r}; train it again"


def _check_version(checkpoint: Mapping[str, Any], source: str) -> None:
    version = checkpoint.get("version")
    if version != VERSION:
        raise GenreidError(
            f"{source}: version {version} of {checkpoint['format']}, this program reads version {VERSION}; "
            "train it again"
        )


def _settings(kind: type[Settings], values: Mapping[str, Any], source: str) -> Settings:
    expected = {field.name for field in fields(kind)}
    if set(values) != expected:
        odd = ", ".join(sorted(set(values) ^ expected))
        raise GenreidError(f"{source}: {kind.__name__} differs in {odd}; train it again with this program")
    return kind(**values)


def _rebuilt(build: Callable[[], Network], weights: Mapping[str, Tensor], source: str) -> Network:
    """The network with its weights, in evaluation mode.

    It is built without room for any first: settings that ask for more than the weights fill are refused
    before they fill the memory. Raises GenreidError.
    """
    with torch.device("meta"):
        wanted = {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            by_settings, in_weights = (shapes.get(name, "nothing") for shapes in (wanted, found))
            reason = f"{name} is {by_settings} by its settings and {in_weights} in its weights"
            raise GenreidError(f"{source}: weights and settings disagree ({reason}); train it again")
    network = build()
    _restore(network, weights, source)
    return network.eval()


def _restore(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise GenreidError(f"{source}: weights and settings disagree ({reason}); train it again") from error
    require_finite(network, source, "train it again")
