"""The formats of `genreid export`: names, writers, and which files are ours."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import atomic_write, write_bytes
from pipeline.outputs import IsOurs, holds

if TYPE_CHECKING:
    from genreid.models.embedding import Embedder
    from genreid.preprocessing import Preprocessing

_MARK = b"genreid.preprocessing"
_ENDS = 1 << 20


class Format(StrEnum):
    """What an encoder can be exported to."""

    onnx = "onnx"
    torchscript = "torchscript"
    openvino = "openvino"

    @property
    def suffix(self) -> str:
        return {"onnx": ".onnx", "torchscript": ".torchscript", "openvino": ".xml"}[self.value]

    @property
    def is_ours(self) -> IsOurs:
        return _is_our_xml if self is Format.openvino else holds(_MARK)


def files_of(kind: Format, output: Path) -> list[tuple[Path, IsOurs]]:
    """Every file that an export to `output` writes, and whether one that is there already is ours."""
    files = [(output, kind.is_ours)]
    if kind is Format.openvino:
        files.append((_weights(output), lambda _: output.is_file() and _is_our_xml(output)))
    if kind is not Format.onnx:
        files.append((facts_file(output), _is_our_text))
    return files


def write_export(
    kind: Format,
    encoder: Embedder,
    output: Path,
    prepared: Preprocessing,
    source: str,
    change: Callable[[Path], None] | None = None,
) -> float:
    """Write and check the files; the main one takes its place last. Returns the difference from torch.

    change: what is done to the checked file before that.
    """
    with atomic_write(output) as temporary:
        difference = _exporter(kind)(encoder, temporary, prepared, source)
        if change is not None:
            change(temporary)
        if kind is Format.openvino:
            os.replace(_weights(temporary), _weights(output))
        if kind is not Format.onnx:
            write_bytes(facts_file(output), _facts(prepared, source))
    return difference


def facts_file(output: Path) -> Path:
    """Where BoxMOT looks for the size that a file which does not tell it takes: beside it."""
    return output.with_name(f"{output.name}.metadata.json")


def _facts(prepared: Preprocessing, source: str) -> bytes:
    from genreid.deployment.exported import preprocessing

    facts: dict[str, Any] = {
        "genreid.preprocessing": preprocessing(prepared),
        "genreid.source": source,
        "model_kwargs": {"img_size": list(prepared.size_px)},
        "model_kwargs_schema_version": 1,
        "schema_version": 1,
    }
    return json.dumps(facts, indent=1).encode() + b"\n"


def _exporter(kind: Format) -> Callable[[Embedder, Path, Preprocessing, str], float]:
    if kind is Format.torchscript:
        from genreid.deployment.torchscript import export_torchscript

        return export_torchscript
    if kind is Format.openvino:
        from genreid.deployment.openvino import export_openvino

        return export_openvino
    from genreid.deployment.onnx import export_encoder

    return export_encoder


def _weights(path: Path) -> Path:
    return path.with_suffix(".bin")


def _is_our_xml(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(len(b"<?xml"))
        file.seek(max(0, file.seek(0, os.SEEK_END) - _ENDS))
        return head == b"<?xml" and _MARK in file.read()


def _is_our_text(path: Path) -> bool:
    return path.read_bytes()[: len(_MARK) + 8].lstrip(b'{\n "').startswith(_MARK)
