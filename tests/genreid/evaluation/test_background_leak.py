"""What an emptied background tells of its person: ranked elsewhere, beside chance."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from genreid.evaluation.background_leak import Elsewhere, expected_precision, measure_leak, rank_elsewhere
from genreid.evaluation.generation import embed_pictures
from genreid.models.encoder import Encoding
from tests.genreid.evaluation.world import World, make_world

INDEX = np.array([0, 2, 3, 5])


def average_precision(hits: list[bool]) -> float:
    found = [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]
    return sum(found) / len(found)


@pytest.mark.parametrize(("matches", "candidates"), [(1, 1), (1, 4), (2, 5), (3, 6), (4, 4)])
def test_chance_is_the_mean_over_all_orders(matches: int, candidates: int) -> None:
    hits = [place < matches for place in range(candidates)]
    orders = [average_precision(list(order)) for order in permutations(hits)]
    assert expected_precision(matches, candidates) == pytest.approx(np.mean(orders))


def made_up(seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)

    def rows(num: int) -> np.ndarray:
        values = rng.normal(size=(num, 5)).astype(np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    labels = np.array([1, 2, 3, 0, -1, 1, 2, 4]), np.array([1, 1, 2, 1, 2, 3, -1, 1])
    gallery_labels = rng.integers(-1, 4, 40), rng.choice([-1, 1, 2, 3], 40)
    return rows(8), labels, rows(40), gallery_labels


@pytest.mark.parametrize("seed", range(4))
def test_ranks_are_those_of_a_loop(seed: int) -> None:
    """Among the images of other cameras that are no junk; persons 0, −1 and 4 have nothing to find."""
    queries, labels, gallery, gallery_labels = made_up(seed)
    firsts, precisions, of_chance = [], [], []
    for row, person, camera in zip(queries, *labels, strict=True):
        there = [
            (-float(row @ other), place, bool(person == of_place))
            for place, (other, of_place, seen_by) in enumerate(zip(gallery, *gallery_labels, strict=True))
            if seen_by != camera and of_place != -1
        ]
        hits = [hit for _, _, hit in sorted(there)]
        if person > 0 and any(hits):
            firsts.append(hits[0])
            precisions.append(average_precision(hits))
            of_chance.append((sum(hits) / len(hits), expected_precision(sum(hits), len(hits))))
    assert 4 <= len(firsts) <= 5
    found = rank_elsewhere(queries, labels, gallery, gallery_labels)
    assert found == pytest.approx((np.mean(firsts), np.mean(precisions)))
    elsewhere = Elsewhere.of(*labels, *gallery_labels)
    assert elsewhere.counts.sum() == len(firsts)
    assert elsewhere.by_chance() == pytest.approx(tuple(np.mean(of_chance, axis=0)))


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


def test_every_kind_of_background_is_ranked_by_the_judge(world: World) -> None:
    judge, judged = world.encoders["warm_up"], world.retrievals["warm_up"]
    given = judge, world.viewed, world.bodies.queries, INDEX, world.pair, judged.gallery
    found = measure_leak(*given, batch_size=3)
    assert isinstance(found, dict)
    person_id, camera_id = (labels[INDEX] for labels in world.pair.queries.labels)
    assert found["queries"] == 4
    persons = world.bodies.queries.persons
    for kind, pictures in (
        ("images", world.pair.queries.images.load(INDEX)),
        ("outline", persons.empty_of_bodies(INDEX)),
        ("mask", persons.empty(INDEX)),
    ):
        rows = embed_pictures(judge, pictures)
        expected = rank_elsewhere(rows, (person_id, camera_id), judged.gallery, world.pair.gallery.labels)
        assert (found[f"{kind}_rank_1"], found[f"{kind}_mAP"]) == pytest.approx([100 * x for x in expected])
    # Of eleven images without junk seven are of other cameras, of which three of the queries have two, and
    # one has one: H_7/7 = 0.37041, and (H_7 + (7 − H_7)/6)/7 = 0.47534.
    assert found["chance_rank_1"] == pytest.approx(100 * 7 / 28)
    assert found["chance_mAP"] == pytest.approx(100 * (3 * 0.47534 + 0.37041) / 4, abs=1e-3)
    assert "true_mask_mAP" in found


class Brightness(nn.Module):
    """Sees nothing but the mean colour, less grey."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))

    def forward(self, pixels: torch.Tensor) -> Encoding:
        rows = nn.functional.normalize(pixels.mean((2, 3)) + self.nothing, dim=1)
        return Encoding(pixels, rows, rows)


def test_what_the_outline_leaves_shows_and_what_the_mask_takes_does_not(world: World) -> None:
    """Everybody has a bag of an own colour beside the body; behind them all is grey."""
    colours = np.array([(230, 20, 20), (20, 230, 20), (20, 20, 230)], np.uint8)
    queries, gallery = world.pair.queries, world.pair.gallery

    def pictures(ids: np.ndarray, *, bag: bool) -> np.ndarray:
        made = np.random.default_rng(0).integers(100, 140, (len(ids), 32, 16, 3), dtype=np.uint8)
        if bag:
            made[:, 8:24, 10:16] = colours[ids % 3][:, None, None]
        return made

    class Bags:
        def empty_of_bodies(self, index: np.ndarray) -> np.ndarray:
            return pictures(queries.labels[0][index], bag=True)

        def empty(self, index: np.ndarray) -> np.ndarray:
            return pictures(queries.labels[0][index], bag=False)

    judge: Any = Brightness()
    bags: Any = Bags()
    named = np.isin(gallery.labels[0], (1, 2, 3))
    rows = embed_pictures(judge, pictures(gallery.labels[0], bag=True))
    rows[~named] = -rows[~named]  # nobody asks for these
    given = judge, world.viewed, replace(world.bodies.queries, persons=bags), INDEX, world.pair, rows
    found = measure_leak(*given, batch_size=8)
    assert isinstance(found, dict)
    assert found["outline_rank_1"] == found["outline_mAP"] == 100
    assert found["mask_mAP"] < 70
    assert found["chance_mAP"] < 70


def test_kinds_that_nobody_knows_are_left_out_and_what_cannot_be_ranked_has_a_reason(world: World) -> None:
    judge, gallery = world.encoders["warm_up"], world.retrievals["warm_up"].gallery
    bare = replace(world.bodies.queries, has_mask=np.zeros(6, bool))
    found = measure_leak(judge, world.viewed, bare, INDEX, world.pair, gallery, batch_size=8)
    assert isinstance(found, dict) and not any(name.startswith("mask") for name in found)
    has_body = np.arange(6) != INDEX[1]
    some = measure_leak(
        judge, world.viewed, replace(bare, has_body=has_body), INDEX, world.pair, gallery, batch_size=8
    )
    rest = INDEX[[0, 2, 3]]
    assert some == measure_leak(judge, world.viewed, bare, rest, world.pair, gallery, batch_size=8) != found
    nobody_there = replace(bare, has_body=np.zeros(6, bool))
    reason = measure_leak(judge, world.viewed, nobody_there, INDEX, world.pair, gallery, batch_size=8)
    assert reason == "none of 4 queries has a body"
    undefined = replace(world.pair, undefined="all images are of camera 1")
    reason = measure_leak(judge, world.viewed, bare, INDEX, undefined, gallery, batch_size=8)
    assert reason == "all images are of camera 1"
    nobody = np.array([4])  # person 5 is in no gallery
    reason = measure_leak(judge, world.viewed, bare, nobody, world.pair, gallery, batch_size=8)
    assert reason == "none of 1 queries has an image of its identity in another camera"
