"""The approximate index of a LanceDB gallery: when there is one, and how much of the exact answer it finds.

Rows in parts, each number in eight bits (`IVF_SQ`); candidates are ordered by their true similarity. Images
that came after it are looked at one by one, until they are put into it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreid.deployment.gallery_table import embeddings_of
from genreid.deployment.lance_gallery import COLUMN, READABLE, LanceGallery, connect, told

QUERIES, NEAREST = 100, 10
"""Images that recall is measured with, and how many of the nearest of each."""
_MOST_OUTSIDE = 0.1
"""Share of the images that may lie outside the index."""
_MOST_PIECES = 16
"""Small files of a table before they are put together."""
_RECALLS = "index_recall"
_RECALL_SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("us")),
        ("images", pa.int64()),
        ("queries", pa.int64()),
        ("nearest", pa.int64()),
        ("recall", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Index:
    """images: in the index; outside: those that came later. recall: the share of the exact search's nearest
    that it found when it was measured last, among `measured_in` images; None where it never was.
    """

    images: int
    outside: int
    recall: float | None = None
    measured_in: int = 0

    def __str__(self) -> str:
        later = f", and {self.outside:,} beside it, one by one" if self.outside else ""
        known = "recall not measured"
        if self.recall is not None:
            known = f"recall {self.recall:.4f} of the {NEAREST} nearest, measured in {self.measured_in:,}"
        return f"approximate, {self.images:,} images{later} ({known})"


def index_of(gallery: LanceGallery) -> Index | None:
    """The index that searches go through; None where they are exact."""
    with told(gallery.place):
        names = [index.name for index in gallery.table.list_indices() if COLUMN in index.columns]
        if not names:
            return None
        stats = gallery.table.index_stats(names[0])
        found = Index(stats.num_indexed_rows, stats.num_unindexed_rows)
        database = connect(gallery.folder)
        if _RECALLS not in _names(database):
            return found
        kept = database.open_table(_RECALLS).to_arrow().sort_by("time").to_pylist()
    return replace(found, recall=kept[-1]["recall"], measured_in=kept[-1]["images"]) if kept else found


def tend(gallery: LanceGallery, index_from: int) -> Index | None:
    """Make the index where there are images enough, put into it what came since, and small files together;
    recall is measured after that. Where another writer comes between, the next one does it.
    """
    index = index_of(gallery)
    with told(gallery.place):
        table = gallery.table
        num = table.count_rows()
        pieces = table.stats()["fragment_stats"]["num_small_fragments"]
        if index is None and num >= index_from:
            changed = _unless_disturbed(lambda: make_index(gallery))
        elif pieces > _MOST_PIECES or (index and index.outside > _MOST_OUTSIDE * num):
            changed = _unless_disturbed(table.optimize)
        else:
            return index
    index = index_of(gallery)
    if changed and index is not None:
        recall = measured_recall(gallery)
        _keep(gallery, recall, index.images + index.outside)
        index = index_of(gallery)
    return index


def measured_recall(gallery: LanceGallery, num_queries: int = QUERIES, k: int = NEAREST) -> float:
    """The share of the k images nearest to images of the gallery (themselves left out) that a search through
    the index finds; the exact answer is that of one product with every row."""
    queries, paths = _queries(gallery, num_queries)
    exact = _exactly_nearest(gallery, queries, k + 1)
    approximate = replace(gallery, exact=False)
    hits = num = 0
    for query, own, nearest in zip(queries, paths, exact, strict=True):
        wanted = [path for path in nearest if path != own][:k]
        found = [one.path for one in approximate.nearest(query, k + 1) if one.path != own][:k]
        hits, num = hits + len(set(wanted) & set(found)), num + len(wanted)
    return hits / num if num else 1.0


def make_index(gallery: LanceGallery) -> None:
    """Raises RuntimeError where another writer comes between."""
    from lancedb.index import IvfSq

    gallery.table.create_index(COLUMN, config=IvfSq(distance_type="cosine"))


def _unless_disturbed(work: Any) -> bool:
    try:
        work()
    except (RuntimeError, OSError) as error:
        if "conflict" not in str(error).lower():
            raise
        return False
    return True


def _queries(gallery: LanceGallery, num: int) -> tuple[np.ndarray, list[str]]:
    """(Q, D) rows of the gallery and their paths: the same ones each time for the same rows."""
    with told(gallery.place):
        total = gallery.table.count_rows()
        offsets = np.random.default_rng(0).choice(total, min(2 * num, total), replace=False)
        rows = (
            gallery.table.take_offsets(sorted(offsets.tolist())).select(["path", "status", COLUMN]).to_arrow()
        )
    rows = rows.filter(pc.equal(rows["status"], "ok"))[:num]
    return embeddings_of(rows), rows["path"].to_pylist()


def _exactly_nearest(gallery: LanceGallery, queries: np.ndarray, k: int) -> list[list[str]]:
    """The paths of the k rows nearest to each query, among all, by one pass over the table."""
    best = np.full((len(queries), k), -np.inf, np.float32)
    names = np.full((len(queries), k), "", object)
    with told(gallery.place):
        batches = gallery.table.search().where(READABLE).select(["path", COLUMN]).to_batches(8192)
        for batch in batches:
            table = pa.Table.from_batches([batch])
            path = np.array(table["path"].to_pylist(), object)
            similarity = queries @ embeddings_of(table).T
            both = np.concatenate([best, similarity], axis=1)
            kept = np.argpartition(-both, k - 1, axis=1)[:, :k]
            best = np.take_along_axis(both, kept, 1)
            everyone = np.concatenate([names, np.broadcast_to(path, similarity.shape)], axis=1)
            names = np.take_along_axis(everyone, kept, 1)
    order = np.argsort(-best, axis=1, kind="stable")
    return [[name for name in row if name] for row in np.take_along_axis(names, order, 1).tolist()]


def _keep(gallery: LanceGallery, recall: float, num: int) -> None:
    """In a table beside the gallery's, a row a measurement."""
    now = datetime.now(UTC).replace(tzinfo=None)
    row = {"time": now, "images": num, "queries": QUERIES, "nearest": NEAREST, "recall": recall}
    with told(gallery.place):
        kept = connect(gallery.folder).create_table(_RECALLS, schema=_RECALL_SCHEMA, exist_ok=True)
        kept.add(pa.Table.from_pylist([row], schema=_RECALL_SCHEMA))


def _names(database: Any) -> list[str]:
    return list(database.list_tables().tables)
