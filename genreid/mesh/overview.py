"""What can be known of estimated bodies where nobody knows the true ones. N images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from genreid.body.body import Body
from genreid.body.rotations import heading_deg
from genreid.mesh.accuracy import silhouettes
from genreid.mesh.shards import STATUSES, MeshEstimates

_MOST_MEASURED = 1000
_CHUNK = 64
_SECTOR_DEG = 45
_SCORES = (5, 50, 95)
_BAR = 30


def overview(
    found: MeshEstimates, body: Body, height_px: np.ndarray, width_px: np.ndarray
) -> dict[str, object]:
    """Names and values for people: share of each status, spread of the scores, overlap of body and mask.

    height_px, width_px: (N,) native sizes.
    """
    counts, num = Counter(found.status), max(len(found), 1)
    facts: dict[str, object] = {
        name: f"{counts[name]} ({100 * counts[name] / num:.1f} %)" for name in STATUSES if counts[name]
    }
    own = found.score[np.array(found.status) == "ok"]
    if len(own):
        names = ", ".join(f"{percent}th" for percent in _SCORES)
        spread = ", ".join(f"{value:.3g}" for value in np.percentile(own, _SCORES))
        facts[f"scores ({names} percentile)"] = spread
    overlap = mask_ious(found, body, height_px, width_px)
    if len(overlap):
        facts[f"body and mask overlap (median IoU of {len(overlap)})"] = float(np.median(overlap))
    return facts


def headings(found: MeshEstimates) -> Mapping[str, str]:
    """Sectors of 45 degrees, each with its share of the bodies and a bar; 0 faces the camera.

    A body that was filled in is not counted.
    """
    known = found.select(np.array(found.status) == "ok")
    turned = heading_deg(known.parameters.global_orient).numpy()
    num_sectors = 360 // _SECTOR_DEG
    sector = np.round(turned / _SECTOR_DEG).astype(np.int64) % num_sectors
    counts = np.bincount(sector, minlength=num_sectors)
    lines = {}
    for number in (*range(num_sectors // 2 + 1, num_sectors), *range(num_sectors // 2 + 1)):
        centre = number * _SECTOR_DEG
        share = counts[number] / max(len(known), 1)
        bar = "█" * round(_BAR * counts[number] / max(counts.max(), 1))
        lines[f"{centre if centre <= 180 else centre - 360:+d}°"] = f"{100 * share:5.1f} % {bar}"
    return lines


def mask_ious(found: MeshEstimates, body: Body, height_px: np.ndarray, width_px: np.ndarray) -> np.ndarray:
    """Overlap of body and person mask (at a half) of the images with both; of many, an even sample."""
    both = np.flatnonzero(
        [status == "ok" and mask is not None for status, mask in zip(found.status, found.masks, strict=True)]
    )
    if not len(both):
        return np.zeros(0)
    rows = both[np.unique(np.linspace(0, len(both) - 1, _MOST_MEASURED).astype(np.int64))]
    ious = []
    for start in range(0, len(rows), _CHUNK):
        some = rows[start : start + _CHUNK]
        drawn = silhouettes(found.select(some), body, height_px[some], width_px[some])
        for row, covered in zip(some, drawn, strict=True):
            mask = found.mask(row)
            assert mask is not None, "it was asked for above"
            person = mask >= 128
            ious.append((covered & person).sum() / max((covered | person).sum(), 1))
    return np.array(ious)
