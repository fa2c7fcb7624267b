from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import PipelineError
from stages.shared import expected
from stages.shared.shards import make_pieces, plan_shards, read_pieces, write_shards
from tests.clock import Clock
from tests.stages.conftest import opened


def rows(piece: range) -> pa.Table:
    return pa.table(
        {"image_id": [f"{image:04d}" for image in piece], "square": [image**2 for image in piece]}
    )


@pytest.mark.parametrize("num_images", [0, 1, 6, 7, 30])
def test_the_plan_covers_every_image_once_and_in_order(num_images: int) -> None:
    shards = plan_shards(num_images, images_per_piece=3, images_per_shard=7)
    flat = [image for shard in shards for piece in shard for image in piece]
    assert flat == list(range(num_images))
    assert all(len(piece) <= 3 for shard in shards for piece in shard)
    sizes = [sum(len(piece) for piece in shard) for shard in shards]
    assert all(size == 7 for size in sizes[:-1]) and sizes[-1] <= 7 and len(sizes) >= 1


def shard_bytes(project: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((project / "data" / "mesh").glob("part-*"))}


@pytest.mark.parametrize("num_threads", [1, 3])
def test_an_interrupted_run_makes_the_same_bytes_and_no_piece_twice(project: Path, num_threads: int) -> None:
    shards = plan_shards(20, images_per_piece=3, images_per_shard=7)
    with opened() as run:
        write_shards(run, "mesh", shards, rows, "working")
    undisturbed = shard_bytes(project)
    assert list(undisturbed) == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    table = pa.concat_tables(pq.read_table(project / "data" / "mesh" / name) for name in undisturbed)
    assert table.equals(rows(range(20)))

    made: list[range] = []

    def until_killed(piece: range) -> pa.Table:
        if piece.start == 10:
            raise KeyboardInterrupt
        made.append(piece)
        return rows(piece)

    with pytest.raises(KeyboardInterrupt), opened() as run:
        write_shards(run, "mesh", shards, until_killed, "working")
    assert 0 < len(made) < 8
    assert shard_bytes(project) == undisturbed  # the old shards, whole

    def after(piece: range) -> pa.Table:
        made.append(piece)
        return rows(piece)

    with opened() as run:
        write_shards(run, "mesh", shards, after, "working", num_threads=num_threads)
    assert shard_bytes(project) == undisturbed
    assert sorted(piece.start for piece in made) == [0, 3, 6, 7, 10, 13, 14, 17]


def test_the_first_pieces_say_what_all_will_take(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first piece takes 7 s, the other six 40 s for an image."""
    monkeypatch.setattr(expected, "time", clock := Clock())

    def slow(piece: range) -> pa.Table:
        clock.seconds += 40 * len(piece) if piece.start else 7
        return rows(piece)

    said: list[str] = []
    with opened() as run:
        monkeypatch.setattr(run.tracker, "say", said.append)
        make_pieces(run, [range(n, n + 3) for n in range(0, 21, 3)], slow, "working", num_threads=1)
    assert clock.seconds == 7 + 18 * 40
    assert said == ["expected: about 12 minutes"]


def test_no_image_at_all_is_one_empty_shard(project: Path) -> None:
    def nothing(piece: range) -> pa.Table:
        return pa.table({"image_id": pa.array([], pa.string())})

    with opened() as run:
        write_shards(run, "mesh", plan_shards(0, 3, 7), nothing, "working")
    assert pq.read_table(project / "data" / "mesh" / "part-00000.parquet").num_rows == 0


def test_a_damaged_piece_names_the_remedy(project: Path) -> None:
    with (
        pytest.raises(PipelineError, match=r"000000\.parquet: no readable Parquet file .*; start again with"),
        opened() as run,
    ):
        make_pieces(run, [range(3)], rows, "working", num_threads=1)
        run.state.chunk(0).write_bytes(b"PAR1 but no more")
        read_pieces(run, range(1))
