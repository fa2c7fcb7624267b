"""Encoders that `evaluate --also NAME=FILE` holds beside the run's own, on the same queries and gallery."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from genreid.data.manifest import Manifest
from genreid.evaluation.retrieval import Pair, embed_pair, percentages, rank_pair
from genreid.evaluation.settings import EvaluateSettings
from genreid.models.checkpoint import load_encoder, oracle_of, preprocessing_of
from genreid.models.encoder import IdentityEncoder
from genreid.models.imported.encoder import ImportedEncoder
from genreid.preprocessing import Preprocessing
from genreid.timing import least_seconds_of
from pipeline.artifacts import hash_path, read_torch
from pipeline.errors import PipelineError
from stages.shared.data import image_set
from stages.shared.elsewhere import is_from_elsewhere, open_elsewhere
from stages.shared.oracle import learnt_from
from stages.shared.results import ENCODERS
from stages.shared.run import StageRun

_NAME = re.compile(r"[\w.+-]+")
_NUM_TIMED = 8


@dataclass(frozen=True)
class Also:
    """name: what the tables call it. fingerprint: of the file and of all that was said of it. what: for
    people.
    """

    name: str
    encoder: IdentityEncoder | ImportedEncoder
    prepared: Preprocessing
    fingerprint: str
    what: str


def open_also(run: StageRun[Any], given: Sequence[str]) -> list[Also]:
    """given: `NAME=FILE` of each. Raises PipelineError or GenreidError where one is no such thing, or its
    file holds no encoder.
    """
    named: dict[str, Path] = {}
    for one in given:
        name, _, file = one.partition("=")
        if not file or not _NAME.fullmatch(name):
            raise PipelineError(
                f"--also {one}: expected NAME=FILE, the name of letters, figures, `.`, `+`, `-` and `_`"
            )
        if name in named or name in ENCODERS:
            raise PipelineError(f"--also {one}: there is an encoder {name} already; take another name")
        named[name] = Path(file).resolve()
    return [_opened(run, name, path) for name, path in named.items()]


def also_seconds(run: StageRun[Any], also: Sequence[Also], num: int) -> float:
    """What it will take about to embed `num` images by each of them."""
    return num * sum(_seconds_an_image(one, run.device) for one in also)


def also_figures(
    run: StageRun[EvaluateSettings], also: Sequence[Also], manifest: Manifest
) -> dict[str, dict[str, float]]:
    """The figures of each by its name, of images at its own size; nothing where no ranking is defined."""
    found, settings = {}, run.settings
    for one in also:
        height_px, width_px = one.prepared.size_px
        resized = replace(manifest, info=replace(manifest.info, height_px=height_px, width_px=width_px))
        pair = Pair.of(resized, settings.split, partial(image_set, run))
        if pair.undefined is not None:
            return {}
        work = partial(embed_pair, one.encoder, pair, settings.batch_size, run.device, run.tracker)
        rows: dict[str, torch.Tensor] = run.state.keep(f"embeddings also {one.fingerprint}", work)
        found[one.name] = percentages(rank_pair(rows, pair, settings.max_rank, settings.reranking))
    if also:
        run.show("Also", {one.name: one.what for one in also})
    return found


def _opened(run: StageRun[Any], name: str, path: Path) -> Also:
    if is_from_elsewhere(path) or not path.is_file():
        other = open_elsewhere(path)
        encoder = other.imported.encoder.to(run.device)
        what = f"{path}: {other.description}"
        return Also(name, encoder, other.imported.prepared, other.fingerprint, what)
    content = read_torch(path, "name a checkpoint of this program, or another's weights")
    own = load_encoder(content, str(path)).to(run.device)
    if oracle := oracle_of(content, str(path)):
        run.warn(f"{name}: {learnt_from(oracle)}")
    return Also(name, own, preprocessing_of(content, str(path)), hash_path(path), str(path))


@torch.no_grad()
def _seconds_an_image(one: Also, device: torch.device) -> float:
    pictures = torch.zeros(_NUM_TIMED, 3, *one.prepared.size_px, device=device)

    def look() -> None:
        one.encoder(pictures)

    look()  # the first time chooses kernels
    return least_seconds_of(look, device) / _NUM_TIMED
