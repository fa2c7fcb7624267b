"""What a stage's kept state must know of files that the user may replace while it is interrupted.

Artifacts of the run are known by their content. A data set that was not made here may be too large to be read
again, so each of its images counts by size and time (in an object store, by size and digest, as the store
tells them); the few other files that params name, by content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from genreid.data.files import AnyPath
from genreid.data.manifest import Manifest
from genreid.data.objects import ObjectPath
from pipeline.artifacts import hash_path, read_table, stamp
from pipeline.params import Params
from stages.shared.paths import data_path, project_path

_WEIGHTS = ("pretrain_encoder.encoder.pretrained", "pretrain_encoder.import_from.path")
_NAMED = {"pretrain-encoder": _WEIGHTS}
_BODY = "prepare_data.body"


def named_files(root: Path, stage: str, params: Params) -> Iterator[tuple[str, str]]:
    """Key and hash of each file that params name for the stage: a body, weights. Words name none."""
    for key in (_BODY, *_NAMED.get(stage, ())):
        value: object = params.values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and (path := project_path(root, value)).is_file():
            yield f"file of {key}", hash_path(path)


def pictures_stamp(root: Path, manifest: Path, images: str, remedy: str) -> dict[str, str]:
    """The stamps of all images of a data set outside the run, as one; nothing for images that the run made.

    images: `paths.images`. Raises PipelineError with the `remedy`, or GenreidError, for a damaged manifest.
    """
    known = Manifest.from_table(read_table(manifest, remedy))
    if known.info.root == images:
        return {}
    digest, folder = hashlib.sha256(), data_path(root, known.info.root)
    for path in known.path:
        digest.update(f"{path} {stamp_of(folder / path)}\n".encode())
    return {f"images of {known.info.root}": digest.hexdigest()}


def stamp_of(path: AnyPath) -> str:
    """`pipeline.artifacts.stamp`, of an image wherever it is."""
    return path.stamp() if isinstance(path, ObjectPath) else stamp(path)
