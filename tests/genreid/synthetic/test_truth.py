from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from genreid.body.body import Body
from genreid.body.columns import unpack_body
from genreid.errors import GenreidError
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.picture.scene import Scene
from genreid.synthetic.plan import Shot
from genreid.synthetic.truth import TRUTH_SCHEMA, benchmark_from_truth, truth_table

Drawn = tuple[tuple[Shot, ...], list[Scene]]


@pytest.fixture(scope="module")
def drawn(benchmark_64: Benchmark) -> Drawn:
    shots = benchmark_64.shots[4:8]
    return shots, [benchmark_64.render(shot) for shot in shots]


@pytest.fixture(scope="module")
def table(benchmark_64: Benchmark, drawn: Drawn) -> pa.Table:
    shots, scenes = drawn
    return truth_table(benchmark_64, shots, iter(scenes))


def test_the_table_holds_what_the_scenes_say(table: pa.Table, drawn: Drawn) -> None:
    shots, scenes = drawn
    parameters, camera, valid = unpack_body(table)
    assert valid.all()
    assert table["image_id"].to_pylist() == [shot.image_id for shot in shots]
    assert table["scene_seed"].to_pylist() == [shot.scene_seed for shot in shots]
    for row, scene in enumerate(scenes):
        assert np.array_equal(parameters.global_orient[row], scene.parameters.global_orient[0])
        assert np.array_equal(parameters.body_pose[row], scene.parameters.body_pose[0])
        assert np.array_equal(parameters.betas[row], scene.parameters.betas[0])
        assert np.array_equal(camera[row], scene.camera)
        assert table["heading_deg"][row].as_py() == pytest.approx(scene.heading_deg, abs=1e-4)


def test_the_benchmark_comes_back_from_its_truth(table: pa.Table, drawn: Drawn, body: Body) -> None:
    again = benchmark_from_truth(table, body)
    shots, scenes = drawn
    assert set(shots) <= set(again.shots)
    assert np.array_equal(again.render(shots[2]).image, scenes[2].image)


def test_pieces_concatenate(benchmark_64: Benchmark, drawn: Drawn, table: pa.Table) -> None:
    shots, scenes = drawn
    pieces = [truth_table(benchmark_64, shots[k : k + 2], scenes[k : k + 2]) for k in (0, 2)]
    assert pa.concat_tables(pieces).equals(table)
    assert pieces[0].schema.equals(TRUTH_SCHEMA)


def test_a_foreign_table_is_refused(table: pa.Table, body: Body) -> None:
    with pytest.raises(GenreidError, match="without synthetic truth"):
        benchmark_from_truth(table.replace_schema_metadata(None), body)
    metadata = {
        key: value.replace(body.fingerprint.encode(), b"0" * 16)
        for key, value in table.schema.metadata.items()
    }
    with pytest.raises(GenreidError, match="made with body 0000000000000000"):
        benchmark_from_truth(table.replace_schema_metadata(metadata), body)
    metadata = {
        key: value.replace(b'"version": 1', b'"version": 0') for key, value in table.schema.metadata.items()
    }
    with pytest.raises(GenreidError, match="version 0, expected 1"):
        benchmark_from_truth(table.replace_schema_metadata(metadata), body)
