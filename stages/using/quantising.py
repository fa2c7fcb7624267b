"""An exported file in eight bits: calibrated on the project's images, and what is lost by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.deployment.exported import import_package
from genreid.deployment.int8 import embed_by, quantise
from genreid.deployment.onnx import runner
from genreid.evaluation.ranking import rank
from genreid.evaluation.retrieval import SPLITS, Pair
from genreid.preprocessing import Preprocessing
from stages.shared.data import image_set, read_manifest
from stages.shared.run import Project


def put_into_eight_bits(project: Project, prepared: Preprocessing, path: Path) -> dict[str, str]:
    """Replace the ONNX file by the same in eight bits; lines for people about what that costs.

    Images are those of the manifest, prepared as the checkpoint says. Raises GenreidError or PipelineError
    where there are none.
    """
    manifest = read_manifest(project)
    info = replace(manifest.info, height_px=prepared.height_px, width_px=prepared.width_px)
    manifest = Manifest(info, manifest.table)
    pair, split = _judges(project, manifest)
    before = _embedded(path, pair) if pair is not None else None
    num = quantise(path, image_set(project, manifest.select("train")))
    lines = {"calibrated on": f"{num} training images"}
    if pair is None or before is None:
        return lines | {"lost by eight bits": f"not measured: {split}"}
    after = _embedded(path, pair)
    one, other = _mean_ap(pair, before), _mean_ap(pair, after)
    cosine = np.concatenate([(a * b).sum(1) for a, b in zip(before, after, strict=True)]).mean()
    return lines | {
        f"mAP on {split} images": f"{one:.2f}, in eight bits {other:.2f} ({other - one:+.2f})",
        "cosine to float32": f"{cosine:.4f} on average",
    }


def _judges(project: Project, manifest: Manifest) -> tuple[Pair | None, str]:
    """Labelled queries and gallery, and which; or None, and why there are none."""
    why = "the project has no query and gallery images"
    for split, names in SPLITS.items():
        if all(manifest.has_split(name) for name in names):
            pair = Pair.of(manifest, split, lambda part: image_set(project, part))
            if pair.undefined is None:
                return pair, split
            why = pair.undefined
    return None, why


def _embedded(path: Path, pair: Pair) -> list[np.ndarray]:
    """Queries and gallery."""
    run = runner(import_package("onnxruntime"), path)
    images: list[ImageSet] = [pair.queries.images, pair.gallery.images]
    return [embed_by(run, part) for part in images]


def _mean_ap(pair: Pair, rows: list[np.ndarray]) -> float:
    """In percent."""
    queries, gallery = rows
    result = rank(queries, *pair.queries.labels, gallery, *pair.gallery.labels, max_rank=1)
    return 100 * result.mean_ap
