"""The whole evaluation: who judges what, and what is written where figures are undefined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from genreid.evaluation.background_leak import measure_leak
from genreid.evaluation.bodies import PairBodies
from genreid.evaluation.generated_views import draw_queries, judge_views
from genreid.evaluation.generation import identity_kept, measure_generation
from genreid.evaluation.looking import Looking, Scores
from genreid.evaluation.matches import Matches, match_curve
from genreid.evaluation.report import Report, judge
from genreid.evaluation.view_colours import People, measure_colours
from genreid.progress import Silent
from tests.genreid.evaluation.world import SETTINGS, YAWS_DEG, World, make_world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


def matches() -> Matches:
    """One pair of a person at 0.8, pairs of two at 0 and 0.6; by pseudo-identities, at 0.6, and 0 and 0.8."""
    rows = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    cameras = np.array([1, 2, 3])
    known = match_curve(rows, np.array([1, 1, 2]), cameras, "identities", seed=1)
    believed = match_curve(rows, np.array([2, 1, 1]), cameras, "pseudo-identities", seed=1)
    assert known is not None and believed is not None
    return Matches({"image": known}, {"image": believed})


def report_of(world: World, looking: Looking | None = None) -> Report:
    given = world.encoders, world.generator, world.viewed, world.pair, world.retrievals, world.headings
    known = Matches({}, {}) if world.pair.undefined else matches()
    return judge(
        *given, SETTINGS, Silent(), bodies=world.bodies, looking=looking, matches=known, checkpoint="abc"
    )


def test_queries_with_views_are_drawn(world: World) -> None:
    drawn = draw_queries(world.viewed, 4, 3)
    assert len(drawn) == 4 and (np.diff(drawn) > 0).all() and set(drawn) <= set(world.viewed.position)
    np.testing.assert_array_equal(drawn, draw_queries(world.viewed, 4, 3))
    assert {tuple(draw_queries(world.viewed, 4, seed)) for seed in range(9)} > {tuple(drawn)}
    np.testing.assert_array_equal(draw_queries(world.viewed, 99, 3), world.viewed.position)


def test_the_encoder_that_saw_no_view_judges_what_the_joint_one_paints(world: World) -> None:
    found, warm_up = report_of(world).views, world.retrievals["warm_up"]
    index = draw_queries(world.viewed, SETTINGS.num_generated, SETTINGS.seed)
    measured = measure_generation(
        world.painter, world.encoders["warm_up"], world.viewed, index, batch_size=4, progress=Silent()
    )
    person_id, camera_id = (labels[index] for labels in world.pair.queries.labels)
    kept = identity_kept(measured, person_id, camera_id, warm_up.gallery, *world.pair.gallery.labels)
    expected = measured.figures() | measured.frechet_figures(warm_up.gallery)
    expected |= {name: kept[name] for name in ("identity_of_images", "identity_kept")}
    assert found.figures == pytest.approx(expected)
    assert found.by_yaw == [
        {
            "yaw_deg": yaw,
            "images": kept["identity_of_images"],
            "rotated_views": kept[f"identity_kept_{yaw}"],
        }
        for yaw in YAWS_DEG
    ]


def test_everything_has_its_place(world: World) -> None:
    report = report_of(world)
    metrics = report.metrics()
    assert list(metrics) == ["warm_up", "joint", "views", "backgrounds", "colours", "matches", "invariance"]
    for name in ("warm_up", "joint"):
        result = world.retrievals[name].result
        assert result is not None and metrics[name]["mAP"] == 100 * result.mean_ap
    assert metrics["views"] == report.views.figures and metrics["invariance"] == report.learnt.figures
    curves = report.curves()
    assert list(curves) == ["cmc", "identity_kept", "det", "hits_by_viewpoint", "spread", "mixtures"]
    assert len(curves["cmc"]) == SETTINGS.max_rank and all(curves.values())
    assert sorted(report.pictures()) == ["changed_lists", "mixtures", "ranked_lists", "views"]
    result = world.retrievals["joint"].result
    assert result is not None
    facts = {
        "split": "test",
        "queries": 6,
        "gallery": 12,
        "queries without a match": result.num_without_match,
    }
    assert report.facts() == facts and result.num_without_match == 1


def test_ways_of_looking_have_figures_of_their_own(world: World) -> None:
    joint: Scores = {"image": {"mAP": 40.0, "rank_1": 50.0}, "mirror": {"mAP": 42.0, "rank_1": 49.0}}
    found = Looking({"joint": joint}, None, {"image": 1.0, "mirror": 2.0})
    plain, beside = report_of(world).metrics(), report_of(world, found).metrics()
    assert beside.pop("test_views") == {
        "joint_image_mAP": 40.0,
        "joint_image_rank_1": 50.0,
        "joint_mirror_mAP": 42.0,
        "joint_mirror_rank_1": 49.0,
    }
    assert beside == plain, "nothing else changes, and without validation identities nothing is recommended"
    metrics = report_of(world, replace(found, validation=joint)).metrics()
    assert metrics["recommended"] == {"views": "mirror", "checkpoint": "abc"}
    assert metrics["test_views"]["validation_mirror_mAP"] == 42.0


@pytest.fixture(scope="module")
def undefined() -> Iterator[Report]:
    yield report_of(make_world(one_camera=True))


def test_where_nothing_is_defined_the_reason_stands_for_the_figures(undefined: Report) -> None:
    metrics = undefined.metrics()
    assert list(metrics) == ["undefined", "views", "backgrounds_unmeasured", "colours"]
    assert metrics["backgrounds_unmeasured"] == metrics["undefined"]
    assert "all images are of camera 1" in metrics["undefined"]
    assert "rotated_frechet" in metrics["views"] and "identity_kept" not in metrics["views"]
    assert not any(undefined.curves().values())
    assert sorted(undefined.pictures()) == ["ranked_lists", "views"]
    assert undefined.facts() == {"split": "test", "queries": 6, "gallery": 12}


def test_without_invariance_the_metrics_have_none(world: World) -> None:
    report = report_of(replace(world, headings={}))
    assert list(report.metrics()) == ["warm_up", "joint", "views", "backgrounds", "colours", "matches"]


def test_backgrounds_and_colours_are_those_of_the_drawn_queries(world: World) -> None:
    metrics, warm_up = report_of(world).metrics(), world.retrievals["warm_up"]
    index = draw_queries(world.viewed, SETTINGS.num_generated, SETTINGS.seed)
    leak = world.encoders["warm_up"], world.viewed, world.bodies.queries, index, world.pair, warm_up.gallery
    assert metrics["backgrounds"] == measure_leak(*leak, batch_size=4)
    assert world.bodies.gallery is not None
    both = [(world.pair.queries, world.bodies.queries), (world.pair.gallery, world.bodies.gallery)]
    given = world.painter, world.viewed, People(both), index
    assert metrics["colours"] == measure_colours(*given, seed=SETTINGS.seed, batch_size=4)
    alone = replace(world, bodies=PairBodies(world.bodies.queries, None))
    of_queries = measure_colours(*given[:2], People(both[:1]), index, seed=SETTINGS.seed, batch_size=4)
    assert report_of(alone).colours == of_queries != metrics["colours"]


def test_without_bodies_the_reason_stands_for_their_figures(world: World) -> None:
    given = world.encoders, world.generator, world.viewed, world.pair, world.retrievals, world.headings
    missing = "data/mesh is missing"
    none = Matches({}, {})
    report = judge(*given, SETTINGS, Silent(), bodies=missing, looking=None, matches=none, checkpoint="abc")
    metrics = report.metrics()
    assert metrics["backgrounds_unmeasured"] == metrics["colours_unmeasured"] == missing
    assert "backgrounds" not in metrics and "views" in metrics


def test_one_image_has_no_spread_to_measure(world: World) -> None:
    given = world.painter, world.encoders["warm_up"], world.viewed, np.array([0]), world.pair
    found = judge_views(*given, world.retrievals["warm_up"], batch_size=4, progress=Silent())
    assert "rotated_frechet" not in found.figures and "identity_kept" in found.figures
