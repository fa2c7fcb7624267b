from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from genreid.errors import GenreidError
from genreid.evaluation import distances as module
from genreid.evaluation.distances import query_chunks
from genreid.evaluation.ranked_lists import top_matches
from genreid.evaluation.ranking import RankingResult, rank, rank_from_distances


@dataclass(frozen=True)
class Scene:
    """A retrieval problem: distances (Q, G) and labels, in the order of `rank_from_distances`."""

    distances: np.ndarray
    query_ids: np.ndarray
    query_cameras: np.ndarray
    gallery_ids: np.ndarray
    gallery_cameras: np.ndarray

    def rank(self, max_rank: int = 10) -> RankingResult:
        return rank_from_distances(
            self.distances,
            self.query_ids,
            self.query_cameras,
            self.gallery_ids,
            self.gallery_cameras,
            max_rank=max_rank,
        )


def random_scene(
    seed: int, levels: int | None = None, num_queries: int = 40, num_gallery: int = 150
) -> Scene:
    """Identities −1 (junk) to 20, some of them in the queries alone; `levels` distances make ties."""
    rng = np.random.default_rng(seed)
    distances = rng.random((num_queries, num_gallery))
    if levels is not None:
        distances = np.floor(distances * levels) / levels
    return Scene(
        distances.astype(np.float32),
        rng.integers(1, 25, num_queries),
        rng.integers(0, 4, num_queries),
        rng.integers(-1, 21, num_gallery),
        rng.integers(0, 4, num_gallery),
    )


def naive_list(scene: Scene, q: int) -> list[int]:
    """Gallery positions in the order that query q sees them."""
    order = sorted(range(len(scene.gallery_ids)), key=lambda g: (scene.distances[q, g], g))
    same = (scene.gallery_ids == scene.query_ids[q]) & (scene.gallery_cameras == scene.query_cameras[q])
    return [g for g in order if scene.gallery_ids[g] != -1 and not same[g]]


def naive_figures(scene: Scene, max_rank: int) -> tuple[list[float], np.ndarray, list[float], int]:
    """AP of each query with a match, CMC, INP of each, and the number of queries without a match."""
    precisions, penalties, hits, lost = [], [], [], 0
    for q, identity in enumerate(scene.query_ids):
        right = [scene.gallery_ids[g] == identity for g in naive_list(scene, q)]
        ranks = [place + 1 for place, is_right in enumerate(right) if is_right]
        if not ranks:
            lost += 1
            continue
        precisions.append(sum((m + 1) / r for m, r in enumerate(ranks)) / len(ranks))
        penalties.append(len(ranks) / ranks[-1])
        hits.append([ranks[0] <= r for r in range(1, max_rank + 1)])
    return precisions, np.mean(hits, 0), penalties, lost


@pytest.mark.parametrize("levels", [None, 1, 3, 20])
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_the_naive_loop(seed: int, levels: int | None) -> None:
    scene = random_scene(seed, levels)
    precisions, cmc, penalties, lost = naive_figures(scene, 10)
    result = scene.rank()
    assert 0 < lost < 40
    assert (result.num_queries, result.num_without_match) == (40, lost)
    assert result.mean_ap == pytest.approx(np.mean(precisions), abs=1e-12)
    assert result.mean_inp == pytest.approx(np.mean(penalties), abs=1e-12)
    np.testing.assert_allclose(result.cmc, cmc, atol=1e-12)
    found = result.first_match > 0
    np.testing.assert_allclose(result.average_precision[found], precisions, atol=1e-12)
    assert np.isnan(result.average_precision[~found]).all()


def test_one_query_by_hand() -> None:
    """In order: junk, own camera, match, wrong, distractor, match: ranks 1 and 4 of what counts."""
    scene = Scene(
        np.array([[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]]),
        np.array([7]),
        np.array([1]),
        np.array([-1, 7, 7, 8, 0, 7]),
        np.array([2, 1, 2, 1, 2, 3]),
    )
    result = scene.rank(max_rank=3)
    assert result.mean_ap == pytest.approx((1 / 1 + 2 / 4) / 2)
    assert result.mean_inp == pytest.approx(2 / 4)
    assert result.cmc.tolist() == [1, 1, 1]
    assert result.first_match.tolist() == [1]


def test_equal_distances_stand_in_gallery_order() -> None:
    """A collapsed encoder gains nothing from ties: the match stands where the gallery has it."""
    gallery_ids = np.array([5, 6, 3, 8])
    scene = Scene(np.zeros((1, 4)), np.array([3]), np.array([0]), gallery_ids, np.ones(4, int))
    assert scene.rank().first_match.tolist() == [3]


def test_average_precision_is_the_fields_without_ties() -> None:
    scene = random_scene(11)
    result = scene.rank()
    asked = np.flatnonzero(result.first_match)
    assert len(asked) > 20
    for q in asked:
        kept = naive_list(scene, int(q))
        truth = scene.gallery_ids[kept] == scene.query_ids[q]
        expected = average_precision_score(truth, -scene.distances[q, kept])
        assert result.average_precision[q] == pytest.approx(expected, abs=1e-9)


def test_chunks_and_threads_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = random_scene(12, levels=15, num_queries=300)
    whole = scene.rank()
    monkeypatch.setattr(module, "CHUNK_BYTES", 4 * 150 * 7)
    num_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        chunks = scene.rank()
    finally:
        torch.set_num_threads(num_threads)
    np.testing.assert_array_equal(whole.average_precision, chunks.average_precision)
    np.testing.assert_array_equal(whole.cmc, chunks.cmc)


def test_a_match_behind_many_who_are_far_away_is_found() -> None:
    """By hand: of 300 only two are near, both behind the first 150; the match is the second of them."""
    distances = np.full((1, 300), 9.0, np.float32)
    distances[0, [160, 230]] = 0.1, 0.2
    ids = np.full(300, 8)
    ids[230] = 7
    found = rank_from_distances(distances, np.array([7]), np.array([1]), ids, np.full(300, 2), max_rank=3)
    assert found.first_match.tolist() == [2] and found.cmc.tolist() == [0, 1, 1]


def test_no_more_than_64_mebibytes_of_distances_are_held() -> None:
    """By hand: of a gallery of 2²⁰ images a query's are 4 MiB; and one query's are held in any case."""
    assert list(query_chunks((40, 2**20))) == [slice(0, 16), slice(16, 32), slice(32, 40)]
    assert list(query_chunks((2, 2**25))) == [slice(0, 1), slice(1, 2)]


def test_distances_are_left_as_they_were() -> None:
    scene = random_scene(13)
    before = scene.distances.copy()
    scene.rank()
    np.testing.assert_array_equal(scene.distances, before)


def unit(num: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((num, 12)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_features_rank_as_their_distances_do() -> None:
    scene = random_scene(14)
    queries, gallery = unit(40, 1), unit(150, 2)
    distances = ((queries[:, None].astype(np.float64) - gallery[None]) ** 2).sum(-1)
    labels = (scene.gallery_ids, scene.gallery_cameras)
    expected = rank_from_distances(distances, scene.query_ids, scene.query_cameras, *labels, max_rank=5)
    result = rank(
        queries, scene.query_ids, scene.query_cameras, torch.from_numpy(gallery), *labels, max_rank=5
    )
    np.testing.assert_array_equal(result.average_precision, expected.average_precision)
    np.testing.assert_array_equal(result.cmc, expected.cmc)


def test_distractors_and_junk_are_nobodys_match() -> None:
    scene = random_scene(15)
    queries = np.where(np.arange(40) % 2, scene.query_ids, np.arange(40) // 2 % 2 - 1)
    result = rank_from_distances(
        scene.distances, queries, scene.query_cameras, scene.gallery_ids, scene.gallery_cameras, max_rank=5
    )
    assert (result.first_match[::2] == 0).all()
    np.testing.assert_array_equal(
        result.average_precision[1::2], scene.rank(max_rank=5).average_precision[1::2]
    )


def test_top_matches_are_the_head_of_the_naive_list() -> None:
    scene = random_scene(16, num_gallery=60)
    queries, gallery = unit(40, 3), unit(60, 4)
    gallery[30:40] = gallery[30]
    distances = -(queries @ gallery.T)
    distances[:, 30:40] = distances[:, [30]]
    scene = Scene(distances, scene.query_ids, scene.query_cameras, scene.gallery_ids, scene.gallery_cameras)
    lists = top_matches(
        queries, scene.query_ids, scene.query_cameras, gallery, scene.gallery_ids, scene.gallery_cameras, k=60
    )
    for q, identity in enumerate(scene.query_ids):
        expected = naive_list(scene, q)
        assert lists.index[q, : len(expected)].tolist() == expected
        assert (lists.index[q, len(expected) :] == -1).all()
        assert not lists.is_match[q, len(expected) :].any()
        right = scene.gallery_ids[expected] == identity
        np.testing.assert_array_equal(lists.is_match[q, : len(expected)], right)
        np.testing.assert_allclose(lists.similarity[q, : len(expected)], -distances[q, expected], atol=1e-6)


def test_one_camera_is_refused() -> None:
    scene = random_scene(17)
    ones = np.ones(150, int)
    with pytest.raises(GenreidError, match="all of camera 1: cross-camera metrics are undefined"):
        rank_from_distances(scene.distances, scene.query_ids, ones[:40], scene.gallery_ids, ones, max_rank=5)
    two_cameras = rank_from_distances(
        scene.distances, scene.query_ids, ones[:40] - 1, scene.gallery_ids, ones, max_rank=5
    )
    assert two_cameras.mean_ap > 0


def test_input_that_cannot_be_ranked() -> None:
    scene = random_scene(18)
    with pytest.raises(GenreidError, match="none of 40 queries has an image of its identity"):
        replace(scene, query_ids=scene.query_ids + 100).rank()
    with pytest.raises(GenreidError, match=r"gallery: \(3,\) identities and \(150,\) cameras for 150 images"):
        replace(scene, gallery_ids=np.arange(3)).rank()
    for bad in (np.nan, np.inf, -np.inf):
        distances = scene.distances.copy()
        distances[33, 149] = bad
        with pytest.raises(GenreidError, match="the distances of query 33 are not all finite"):
            replace(scene, distances=distances).rank()


def test_features_that_cannot_be_ranked() -> None:
    scene = random_scene(19)
    labels = (scene.gallery_ids, scene.gallery_cameras)
    with pytest.raises(GenreidError, match="query features are 12 wide, gallery features 6"):
        rank(
            unit(40, 5),
            scene.query_ids,
            scene.query_cameras,
            np.eye(150, 6, dtype=np.float32)[np.arange(150) % 6],
            *labels,
            max_rank=5,
        )
    with pytest.raises(GenreidError, match="row 0 of gallery features has length 2"):
        rank(unit(40, 5), scene.query_ids, scene.query_cameras, 2 * unit(150, 6), *labels, max_rank=5)
