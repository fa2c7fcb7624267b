"""When figures of retrieval are undefined, and what is looked at then."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.data.transforms import normalise
from genreid.data.ways import Look
from genreid.errors import GenreidError
from genreid.evaluation import retrieval
from genreid.evaluation.retrieval import (
    Pair,
    Part,
    cmc_rows,
    embed_pair,
    percentages,
    rank_pair,
    why_undefined,
    without_camera_means,
)
from genreid.evaluation.settings import RerankingSettings
from genreid.models.initialisation import build_encoder
from genreid.progress import Silent
from tests.genreid.models.small import ENCODER


def asked(*pairs: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    ids, cameras = np.array(pairs).T
    return ids, cameras


@pytest.mark.parametrize(
    ("queries", "gallery", "reason"),
    [
        ([(1, 1)], [(1, 2), (2, 1)], None),
        ([(3, 1), (1, 1)], [(1, 1), (1, 2)], None),
        ([(1, 4)], [(1, 4), (2, 4)], "all images are of camera 4"),
        ([(1, -1)], [(1, -1)], "no image's camera is known"),
        ([(-2, 1)], [(-2, 2)], "no query has an identity"),
        ([(0, 1), (-1, 1)], [(0, 2), (-1, 2)], "no query has an identity"),
        (
            [(1, 1), (2, 2)],
            [(1, 1), (2, 2), (3, 1)],
            "no query has an image of its identity from another camera",
        ),
    ],
)
def test_why_undefined(
    queries: list[tuple[int, int]], gallery: list[tuple[int, int]], reason: str | None
) -> None:
    found = why_undefined(*asked(*queries), *asked(*gallery))
    assert found is None if reason is None else reason in (found or "")


def test_every_gallery_image_has_a_camera() -> None:
    with pytest.raises(ValueError, match="shorter"):
        why_undefined(*asked((1, 1)), np.array([1, 2, 3]), np.array([1, 2]))


def pair_of(splits: list[str], asked_for: str) -> Pair:
    rows = [
        {"image_id": f"{n}", "path": f"{n}", "split": split, "camera_id": n, "person_id": 1, "status": "ok"}
        for n, split in enumerate(splits)
    ]
    info = ManifestInfo("tiny", "data/images", 64, 32, "open")

    def images_of(part: Manifest) -> ImageSet:
        return ImageSet(Path(), part, num_threads=1)

    return Pair.of(Manifest.from_rows(rows, info), asked_for, images_of)


def test_without_a_query_training_images_are_looked_at() -> None:
    pair = pair_of(["train"] * 5, "test")
    assert pair.queries.images.image_id == ["0", "2", "4"] and pair.gallery.images.image_id == ["1", "3"]
    assert pair.undefined == "tiny has no query and gallery images"


def test_the_other_pair_is_named() -> None:
    with pytest.raises(
        GenreidError,
        match=r"split is val.*no val_query.*split to test, or prepare_data\.val_identities to more than 0$",
    ):
        pair_of(["train", "query", "gallery"], "val")
    assert pair_of(["train", "query", "gallery"], "test").undefined is None


def part(person_id: list[int], camera_id: list[int], pictures: np.ndarray) -> Part:
    """Images that show flat greys."""
    rows = [
        {"image_id": f"{n}", "path": f"{n}", "split": "query", "camera_id": c, "person_id": p, "status": "ok"}
        for n, (p, c) in enumerate(zip(person_id, camera_id, strict=True))
    ]
    manifest = Manifest.from_rows(rows, ManifestInfo("tiny", "images", 64, 32, "open"))
    return Part(manifest, SimpleNamespace(load=lambda index: pictures[index], image_id=manifest.image_id))  # type: ignore[arg-type]


def along(*cosines: float) -> torch.Tensor:
    """Unit rows with these cosines to (1, 0)."""
    return torch.tensor([[c, (1 - c * c) ** 0.5] for c in cosines], dtype=torch.float32)


PICTURES = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.full((1, 64, 32, 3), 50, np.uint8)
QUERIES, GALLERY = part([1], [1], PICTURES), part([2, 1, 1, 1], [2, 2, 1, 3], PICTURES)
EMBEDDED = {"queries": along(1.0), "gallery": along(0.9, 0.8, 0.99, 0.1)}
"""Of three images of the query's person one is in its own camera, which is left out: wrong, right, right."""


def test_figures_in_percent_by_hand() -> None:
    ranked = rank_pair(EMBEDDED, Pair(QUERIES, GALLERY, None), 3, None)
    figures = percentages(ranked)
    assert list(figures) == ["mAP", "rank_1", "rank_5", "rank_10", "mINP"]
    average_precision = 100 * (1 / 2 + 2 / 3) / 2
    assert list(figures.values()) == pytest.approx([average_precision, 0, 100, 100, 200 / 3])
    assert cmc_rows({"joint": ranked}, 3) == [
        {"rank": 1, "joint": 0},
        {"rank": 2, "joint": 100},
        {"rank": 3, "joint": 100},
    ]


def test_after_re_ranking_there_are_more_figures() -> None:
    settings = RerankingSettings(k1=2, k2=1, original_weight=1.0)
    figures = percentages(rank_pair(EMBEDDED, Pair(QUERIES, GALLERY, None), 3, settings))
    plain = {name: value for name, value in figures.items() if not name.startswith("reranked_")}
    assert {f"reranked_{name}": value for name, value in plain.items()}.items() <= figures.items()


def test_where_no_figure_is_defined_there_is_none() -> None:
    ranked = rank_pair(EMBEDDED, Pair(QUERIES, GALLERY, "one camera"), 3, None)
    assert ranked.result is None and ranked.reranked is None
    assert cmc_rows({"joint": ranked}, 3) == []
    np.testing.assert_array_equal(ranked.gallery, EMBEDDED["gallery"])


@pytest.mark.parametrize("batch_size", [1, 3])
def test_both_parts_are_embedded_in_evaluation_mode(batch_size: int) -> None:
    encoder = build_encoder(ENCODER, 0).train()
    queries, gallery = (Part(QUERIES.manifest, ImagesOf(QUERIES, num)) for num in (5, 4))  # type: ignore[arg-type]
    pair = Pair(queries, gallery, None)
    found = embed_pair(encoder, pair, batch_size, torch.device("cpu"), Silent())
    with torch.no_grad():
        expected = encoder.eval()(normalise(PICTURES)).embedding
    torch.testing.assert_close(found["queries"], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(found["gallery"], expected[:4], atol=1e-6, rtol=0)


def test_a_camera_s_mean_is_that_of_its_queries_and_gallery_images_together() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5, 6)) + 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = torch.from_numpy(vectors.astype(np.float32))
    found = without_camera_means({"queries": rows[:1], "gallery": rows[1:]}, Pair(QUERIES, GALLERY, None))
    cameras = [1, 2, 2, 1, 3]
    for place, camera in enumerate(cameras):
        same = [vectors[other] for other in range(5) if cameras[other] == camera]
        expected = vectors[place] - sum(same) / len(same) if len(same) > 1 else vectors[place]
        expected = expected / np.sqrt((expected**2).sum())
        row = found["queries"][0] if place == 0 else found["gallery"][place - 1]
        np.testing.assert_allclose(row.numpy(), expected, atol=1e-5)


def test_each_part_is_looked_at_in_its_way() -> None:
    encoder = build_encoder(ENCODER, 0)
    queries, gallery = (Part(QUERIES.manifest, ImagesOf(QUERIES, num)) for num in (5, 4))  # type: ignore[arg-type]

    def looks_at(part: Part) -> list[Look]:
        darker = [1, 2] if part is queries else [1, 3]
        return [lambda index, by=by: normalise(part.images.load(index) // by) for by in darker]  # type: ignore[misc]

    found = embed_pair(encoder, Pair(queries, gallery, None), 3, torch.device("cpu"), Silent(), looks_at)
    for name, by, num in (("queries", 2, 5), ("gallery", 3, 4)):
        with torch.no_grad():
            looked = [encoder.eval()(normalise(PICTURES[:num] // one)).embedding for one in (1, by)]
        total = looked[0].numpy() + looked[1].numpy()
        expected = total / np.linalg.norm(total, axis=1, keepdims=True)
        np.testing.assert_allclose(found[name].numpy(), expected, atol=2e-6)


class ImagesOf:
    """The first pictures of a part."""

    def __init__(self, of: Part, num: int) -> None:
        self.load, self._num = of.images.load, num

    def __len__(self) -> int:
        return self._num


@pytest.mark.parametrize("undefined", [None, "one camera"])
def test_a_picture_of_lists_leaves_out_what_the_ranking_does(
    monkeypatch: pytest.MonkeyPatch, undefined: str | None
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(retrieval, "ranked_lists_picture", lambda *given: shown.append(given))
    pair = Pair(Part(QUERIES.manifest, ImagesOf(QUERIES, 1)), GALLERY, undefined)  # type: ignore[arg-type]
    retrieval.picture_of_lists(rank_pair(EMBEDDED, pair, 3, None), pair, 3, 0)
    (pictures, lists, _, known) = shown[0]
    assert len(pictures) == 1 and known.tolist() == [True]
    heads = [index for index in lists.index[0].tolist() if index >= 0]
    assert heads == ([0, 1, 3] if undefined is None else [2, 0, 1, 3])
