"""What workers find, in pieces of any size, is what one machine finds, to the last bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.cluster import DBSCAN

from genreid.clustering import dithered
from genreid.clustering.jaccard import half_columns, jaccard_graph
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.pseudo_labels import cluster
from genreid.clustering.settings import PseudoLabelSettings
from genreid.clustering.sharded import search, shelf
from genreid.clustering.sharded.by_workers import cluster_by_workers, even_bounds, pairs_by_workers
from genreid.clustering.sharded.shelf import Shelf
from genreid.clustering.similarity import pair_similarity
from genreid.errors import GenreidError
from tests.genreid.clustering.naive import (
    naive_jaccard,
    naive_ranks,
    naive_weights,
    person_features,
    squared_distances,
)

NUM = 330
SETTINGS = PseudoLabelSettings(k1=14, k2=4, eps=0.7, min_samples=4, method="exact")
BOUNDS = [(0, NUM), (0, 100, NUM), (0, 1, 130, NUM), (0, 64, 128, 192, 256, NUM)]


class Threads:
    """Workers of this process, which count what they are asked for."""

    def __init__(self, num_calls: int = 1) -> None:
        self.num_calls = num_calls
        self.asked: Counter[str] = Counter()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.asked[function.__name__] += 1
        return function(*arguments)


def persons() -> np.ndarray:
    return person_features(NUM, 24, 11, 0.7, seed=5)


def lattice() -> np.ndarray:
    """Rows of ±¼ in 16 columns: all products are exact in float32, and nearly all are ties."""
    return np.random.default_rng(2).choice([-0.25, 0.25], (NUM, 16)).astype(np.float32)


def copies() -> np.ndarray:
    """More copies of an image than there are candidates, all over the pieces."""
    rows = persons()
    rows[np.random.default_rng(4).permutation(NUM)[:120]] = rows[7]
    return rows


def crowded() -> np.ndarray:
    """Copies of two lengths: the longer ones crowd the shorter out of their own candidates."""
    rows = copies()
    same_as = np.flatnonzero((rows == rows[7]).all(1))
    rows[same_as[::4]] *= np.float32(0.996)
    return rows


def concentrated() -> np.ndarray:
    """With a row in the last piece that turns into one number, which needs longer steps than the others."""
    rows = person_features(NUM, 64, 11, 0.7, seed=6)
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), 64)
    rows[-1] = signs / 8
    assert dithered.round_rows(rows[-1:], dithered.usual_step(64))[1][0] > 63
    return rows


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 37 rows of 24 numbers."""
    monkeypatch.setattr(shelf, "BLOCK_NUMBERS", 37 * 24)


@pytest.fixture(params=["int8", "faiss"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "int8_is_quick", lambda: request.param == "int8")


def same(found: csr_array, expected: csr_array) -> None:
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("features", [persons, lattice, copies, crowded, concentrated])
def test_the_same_as_on_one_machine(
    features: Callable[[], np.ndarray], bounds: tuple[int, ...], tmp_path: Path
) -> None:
    rows = features()
    one = nearest_neighbours(rows, SETTINGS.k1, method="exact")
    filled = Shelf.filled(tmp_path, rows, bounds)
    pairs = pairs_by_workers(Threads(3), filled, SETTINGS, SETTINGS.eps)
    for name in ("index", "similarity"):
        pieces = [filled.get(search.NEIGHBOURS, piece, name)[0] for piece in range(filled.num_pieces)]
        np.testing.assert_array_equal(np.concatenate(pieces), getattr(one, name))
    graph = jaccard_graph(rows, one, k1=SETTINGS.k1, k2=SETTINGS.k2, eps=SETTINGS.eps)
    assert graph.nnz > NUM
    same(pairs.graph(), graph)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_same_as_the_formula(bounds: tuple[int, ...], tmp_path: Path) -> None:
    """With ties, whose order both keep, and distances that the formula gives in float64."""
    rows, (k1, k2) = lattice(), (SETTINGS.k1, SETTINGS.k2)
    ranks = naive_ranks(rows, k1)
    expected = naive_jaccard(naive_weights(squared_distances(rows), ranks, k1, half_columns(k1), k2))
    filled = Shelf.filled(tmp_path, rows, bounds)
    pairs = pairs_by_workers(Threads(), filled, SETTINGS, 0.95)
    row, column = np.nonzero(np.triu(expected <= 0.95, 1))
    assert set(zip(pairs.row.tolist(), pairs.column.tolist(), strict=True)) == set(
        zip(row.tolist(), column.tolist(), strict=True)
    )
    np.testing.assert_allclose(pairs.distance, expected[pairs.row, pairs.column], atol=2e-6)


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        PseudoLabelSettings(k1=30, k2=6, eps=0.6, min_samples=4, method="exact"),
        PseudoLabelSettings(k1=12, k2=1, eps=0.6, min_samples=3, method="exact"),
        PseudoLabelSettings(k1=1, k2=1, eps=0.5, min_samples=2, method="exact"),
    ],
)
@pytest.mark.parametrize("num", [1, 2, 20, 200])
def test_labels_are_those_of_one_machine_and_of_dense_clustering(
    num: int, settings: PseudoLabelSettings, tmp_path: Path
) -> None:
    rows = person_features(num, 24, 11, 0.7, seed=8)
    bounds = even_bounds(num, 3)
    found = cluster_by_workers(Threads(2), Shelf.filled(tmp_path, rows, bounds), settings)
    np.testing.assert_array_equal(found.labels, cluster(rows, settings).labels)
    k1 = min(settings.k1, num)
    ranks = naive_ranks(rows, k1)
    weights = naive_weights(squared_distances(rows), ranks, k1, half_columns(settings.k1), settings.k2)
    dense = DBSCAN(eps=settings.eps, min_samples=settings.min_samples, metric="precomputed")
    distance = np.maximum(naive_jaccard(weights), 0)
    np.testing.assert_array_equal(found.labels, dense.fit_predict(distance))


def test_pairs_know_their_cosine_and_the_unlike_are_left_out(tmp_path: Path) -> None:
    rows = persons()
    filled = Shelf.filled(tmp_path / "all", rows, BOUNDS[2])
    every = pairs_by_workers(Threads(), filled, SETTINGS, 0.999, least_cosine=-1.0)
    np.testing.assert_array_equal(every.cosine, pair_similarity(rows, every.row, every.column))
    least = float(np.median(every.cosine))
    some = pairs_by_workers(
        Threads(), Shelf.filled(tmp_path / "some", rows, BOUNDS[1]), SETTINGS, 0.999, least_cosine=least
    )
    kept = every.cosine >= least
    assert 0 < kept.sum() < len(kept)
    for name in ("row", "column", "distance", "cosine"):
        np.testing.assert_array_equal(getattr(some, name), getattr(every, name)[kept])


def test_a_run_that_was_ended_goes_on(tmp_path: Path) -> None:
    """Of a piece that was being made nothing is left but a file that nobody reads."""
    rows = persons()

    class Ending(Threads):
        def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
            if self.asked["find_weights"] == 1:
                (tmp_path / "expanded-000001.npz.host.7").write_bytes(b"half of it")
                raise KeyboardInterrupt
            return super().call(function, *arguments)

    with pytest.raises(KeyboardInterrupt):
        pairs_by_workers(Ending(), Shelf.filled(tmp_path, rows, BOUNDS[2]), SETTINGS, 0.7)
    again = Threads()
    pairs = pairs_by_workers(again, Shelf.filled(tmp_path, rows, BOUNDS[2]), SETTINGS, 0.7)
    assert again.asked["find_neighbours"] == again.asked["find_reciprocal"] == 0
    assert again.asked["find_weights"] == 2 and again.asked["find_pairs"] == 3
    one = nearest_neighbours(rows, SETTINGS.k1, method="exact")
    same(pairs.graph(), jaccard_graph(rows, one, k1=SETTINGS.k1, k2=SETTINGS.k2, eps=0.7))


@pytest.mark.parametrize(
    ("num", "workers", "most", "expected"),
    [
        (10, 3, 100, [0, 3, 6, 10]),
        (10, 1, 4, [0, 3, 6, 10]),
        (10, 2, 4, [0, 2, 5, 7, 10]),
        (2, 5, 100, [0, 1, 2]),
        (7, 1, 7, [0, 7]),
    ],
)
def test_pieces_are_even(num: int, workers: int, most: int, expected: list[int]) -> None:
    assert even_bounds(num, workers, most) == expected


def test_what_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    rows = persons()
    for bounds in [(0, 5), (1, NUM), (0, 5, 5, NUM), (0, NUM + 1)]:
        with pytest.raises(GenreidError, match=r"\Apieces begin at .*: expected rising numbers, 0 to 330\Z"):
            Shelf.filled(tmp_path, rows, bounds)
    with pytest.raises(GenreidError, match=r"\Arow 3 of rows from 37 has length 2 .*expected unit rows"):
        Shelf.filled(tmp_path, np.where(np.arange(NUM)[:, None] == 40, 2 * rows, rows), (0, NUM))
    filled = Shelf.filled(tmp_path, rows, (0, 200, NUM))
    other = PseudoLabelSettings(k1=14, k2=4, eps=0.7, min_samples=4, method="hnsw")
    with pytest.raises(
        GenreidError, match=r"\Aneighbour search 'hnsw' is one machine's: .*set `method` to exact\Z"
    ):
        pairs_by_workers(Threads(), filled, other, 0.7)
    with (tmp_path / "rows.f32").open("rb+") as file:
        file.truncate(1000)
    with pytest.raises(GenreidError, match=r"\A[^\n]*rows.f32 ends too early: remove [^\n]*\Z"):
        pairs_by_workers(Threads(), filled, SETTINGS, 0.7)
