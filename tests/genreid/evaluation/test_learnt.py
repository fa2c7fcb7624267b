"""What training has changed, against plain loops over the same embeddings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from genreid.evaluation.figures import LAMBDAS
from genreid.evaluation.generation import embed_pictures
from genreid.evaluation.invariance import partners
from genreid.evaluation.learnt import Invariance, judge_invariance, true_headings
from tests.genreid.evaluation.world import YAWS_DEG, World, make_world

LOOKED_AT = np.array([0, 2, 3, 4, 5])
KNOWN = np.array([0, 2, 3, 5])  # person 5 is not in the gallery


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def found(world: World) -> Invariance:
    given = world.viewed, LOOKED_AT, world.pair, world.retrievals, world.headings
    return judge_invariance(world.encoders, world.painter, *given, seed=3)


def prototype(world: World, name: str, person: int) -> np.ndarray:
    rows = world.retrievals[name].gallery[world.pair.gallery.manifest.person_id == person]
    mean = rows.mean(axis=0)
    return mean / np.linalg.norm(mean)


def true_pairs(world: World, name: str) -> list[tuple[float, bool]]:
    """How far apart each true pair is, and whether it is nearer than anybody else's image."""
    retrieval, pairs = world.retrievals[name], []
    queries, gallery = world.pair.queries.manifest, world.pair.gallery.manifest
    cosine = retrieval.queries @ retrieval.gallery.T
    for q, person in enumerate(queries.person_id):
        others = [g for g, p in enumerate(gallery.person_id) if p not in (person, -1)]
        for g in range(len(gallery)):
            if gallery.person_id[g] == person and gallery.camera_id[g] != queries.camera_id[q]:
                turn = abs(world.headings[queries.image_id[q]] - world.headings[gallery.image_id[g]])
                pairs.append((min(turn, 360 - turn), bool(cosine[q, g] > cosine[q, others].max())))
    return pairs


@pytest.mark.parametrize("name", ["warm_up", "joint"])
def test_hits_by_viewpoint(world: World, found: Invariance, name: str) -> None:
    pairs = true_pairs(world, name)
    assert sum(row["pairs"] for row in found.hits) == len(pairs) > 5
    for row in found.hits:
        middle = row["degrees_apart"]
        hits = [hit for turn, hit in pairs if middle - 15 <= turn < middle + 15]
        assert row["pairs"] == len(hits) and row[name] == pytest.approx(100 * np.mean(hits))
    for least, most in ((0, 60), (120, 180)):
        hits = [hit for turn, hit in pairs if least <= turn < most]
        key = f"{name}_hits_{least}_{most}"
        assert (key in found.figures) == bool(hits)
        if hits:
            assert found.figures[key] == pytest.approx(100 * np.mean(hits))


@pytest.mark.parametrize("name", ["warm_up", "joint"])
def test_spread_over_rotations(world: World, found: Invariance, name: str) -> None:
    retrieval, gallery_ids = world.retrievals[name], world.pair.gallery.manifest.person_id
    persons = world.pair.queries.manifest.person_id[KNOWN]
    rows, encoder = retrieval.queries[KNOWN], world.encoders[name]
    others = [
        1 - max(retrieval.gallery[g] @ row for g, p in enumerate(gallery_ids) if p not in (person, -1))
        for row, person in zip(rows, persons, strict=True)
    ]
    codes = world.painter.appearance(world.viewed.images.load(KNOWN))
    means: dict[str, list[float]] = {"generated": [], "true": []}
    assert [row["yaw_deg"] for row in found.spread] == list(YAWS_DEG)
    for row in found.spread:
        yaw = int(row["yaw_deg"])
        painted = world.painter.paint(world.viewed.shown(KNOWN, yaw), codes)
        for kind, pictures in (("generated", painted), ("true", world.viewed.true_views(KNOWN, yaw)[0])):
            distance = 1 - (embed_pictures(encoder, pictures) * rows).sum(axis=1)
            means[kind].append(float(distance.mean()))
            assert row[f"{name}_{kind}"] == pytest.approx(distance.mean(), abs=1e-5)
        assert row[f"{name}_nearest_other"] == pytest.approx(np.mean(others), abs=1e-5)
    for kind, by_yaw in means.items():
        expected = np.mean(by_yaw) / np.mean(others)
        assert found.figures[f"{name}_spread_{kind}"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["warm_up", "joint"])
def test_mixtures_stand_between_two_persons(world: World, found: Invariance, name: str) -> None:
    persons = world.pair.queries.manifest.person_id[KNOWN]
    partner = partners(persons, 3)
    own_code, other_code = (
        world.painter.appearance(world.viewed.images.load(index)) for index in (KNOWN, KNOWN[partner])
    )
    assert [row["lambda"] for row in found.mixtures] == list(LAMBDAS)
    for row in found.mixtures:
        weight = row["lambda"]
        code = weight * own_code + (1 - weight) * other_code
        rows = embed_pictures(world.encoders[name], world.painter.paint(world.viewed.shown(KNOWN, 0), code))
        for which, ids in (("own", persons), ("other", persons[partner])):
            cosines = [row_ @ prototype(world, name, int(p)) for row_, p in zip(rows, ids, strict=True)]
            assert row[f"{name}_{which}"] == pytest.approx(np.mean(cosines), abs=1e-5)


def test_pictures(found: Invariance) -> None:
    assert sorted(found.pictures) == ["changed_lists", "mixtures"]
    assert all(p.dtype == np.uint8 and p.shape[2] == 3 for p in found.pictures.values())


def test_nothing_without_headings_or_a_ranking(world: World) -> None:
    given = world.encoders, world.painter, world.viewed, LOOKED_AT
    assert judge_invariance(*given, world.pair, world.retrievals, {}, seed=3) == Invariance()
    alone = make_world(one_camera=True)
    assert judge_invariance(*given, alone.pair, alone.retrievals, world.headings, seed=3) == Invariance()


def test_where_nobody_looked_at_is_in_the_gallery_there_are_hits_alone(world: World) -> None:
    given = world.encoders, world.painter, world.viewed, np.array([4]), world.pair, world.retrievals
    found = judge_invariance(*given, world.headings, seed=3)
    assert (
        found.hits and not found.spread and not found.mixtures and list(found.pictures) == ["changed_lists"]
    )


def test_true_headings() -> None:
    truth = pa.table({"image_id": ["a", "b"], "heading_deg": [10.0, -90.0]})
    assert true_headings(truth) == {"a": 10.0, "b": -90.0}
    assert true_headings(truth.slice(0, 0)) == {}
