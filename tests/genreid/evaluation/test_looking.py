"""Ways of looking at images, beside one another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.data.settings import WayName
from genreid.evaluation.looking import FIGURES, Looking, Scores, score, ways_beside, worth_taking
from genreid.evaluation.retrieval import Pair
from tests.genreid.evaluation.test_retrieval import GALLERY, QUERIES


@pytest.mark.parametrize(
    ("gains", "taken"),
    [
        ({"image": 40.0}, "image"),
        ({"image": 40.0, "mirror": 40.4}, "image"),
        ({"image": 40.0, "mirror": 40.6}, "mirror"),
        ({"image": 40.0, "mirror": 42.0, "copies": 41.0, "turned": 42.4}, "mirror"),
        ({"image": 40.0, "mirror": 42.0, "copies": 41.0, "turned": 42.6}, "turned"),
        ({"image": 40.0, "mirror": 39.0, "copies": 38.0, "turned": 37.0}, "image"),
        ({"turned": 45.0, "copies": 44.9, "image": 40.0}, "copies"),
    ],
)
def test_the_cheapest_way_within_half_a_point_of_the_best(gains: dict[WayName, float], taken: str) -> None:
    scores = {way: {"mAP": gain, "centred_mAP": 99 - gain} for way, gain in gains.items()}
    assert worth_taking(scores) == taken


def test_the_test_recommends_nothing() -> None:
    scores: Scores = {"image": {"mAP": 1.0}, "mirror": {"mAP": 9.0}}
    assert Looking({"joint": scores}, None, {}).recommended is None
    validation: Scores = {"image": {"mAP": 9.0}, "mirror": {"mAP": 1.0}}
    assert Looking({"joint": scores}, validation, {}).recommended == "image"


def test_the_image_is_always_there_and_the_dearest_way_comes_last() -> None:
    assert ways_beside(()) == ["image"]
    assert ways_beside(("turned", "mirror")) == ["image", "mirror", "turned"]
    assert ways_beside(("image", "copies")) == ["image", "copies"]


def test_figures_with_and_without_the_means_of_cameras() -> None:
    """By hand: the query's right answers are gallery images 1 and 3; 2 is of its own camera.

    Cameras: the query's holds gallery image 2; images 0 and 1 share one; 3 is alone in its own, and stays.
    """
    query, gallery = np.array([1.0, 0.0, 0.0]), np.eye(3)[[0, 1, 0, 0]]
    gallery[1] = [0.6, 0.8, 0.0]
    gallery[2] = [0.8, 0.0, 0.6]
    gallery[3] = [0.28, 0.96, 0.0]
    embedded = {name: torch.from_numpy(rows).float() for name, rows in (("q", query[None]), ("g", gallery))}
    found = score({"queries": embedded["q"], "gallery": embedded["g"]}, Pair(QUERIES, GALLERY, None))
    assert tuple(found) == FIGURES
    # alone: image 0 (1.0), a wrong one, then 1 (0.6), then 3 (0.28)
    assert found["mAP"] == pytest.approx(100 * (1 / 2 + 2 / 3) / 2) and found["rank_1"] == 0
    # less the means (0.9, 0, 0.3) and (0.8, 0.4, 0): the query is (0.1, 0, −0.3), image 0 (0.2, −0.4, 0),
    # image 1 (−0.2, 0.4, 0); cosines 0.14, −0.14 and of image 3 0.09
    assert found["centred_mAP"] == pytest.approx(100 * (1 / 2 + 2 / 3) / 2) and found["centred_rank_1"] == 0
