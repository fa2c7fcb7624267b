"""A gallery in LanceDB, against the same rows in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from genreid.deployment.gallery import Gallery
from genreid.deployment.where import Where
from genreid.errors import GenreidError
from tests.genreid.deployment.lance_writer import info, opened, table
from tests.genreid.deployment.test_times import ASKED, ROWS

pytest.importorskip("lancedb", reason="lancedb (the extra `lance`) is not installed")

from genreid.deployment.lance_gallery import LanceGallery, open_lance, put
from genreid.deployment.lance_index import index_of, measured_recall, tend


def test_it_is_searched_as_the_same_rows_in_memory(tmp_path: Path) -> None:
    made = table([f"a_{at}.png" for at in range(60)] + ["broken.png"])
    put(tmp_path / "db", iter([made.slice(0, 20), made.slice(20)]))
    own, memory = opened(tmp_path / "db"), Gallery.from_table(made, "here")
    assert own.info == memory.info == info() and own.means is None
    assert (
        own.to_table().equals(made.sort_by("path")) and own.to_table().schema.metadata == made.schema.metadata
    )
    assert own.labels_of_all().num_rows == 60
    query = memory.embedding[7]
    for where in (Where(), Where(cameras=("c1", "c2")), Where(paths=("a_1*",)), Where(cameras=("c9",))):
        found, expected = own.nearest(query, 5, where), memory.nearest(query, 5, where)
        assert [one.path for one in found] == [one.path for one in expected]
        np.testing.assert_allclose(
            [one.similarity for one in found], [one.similarity for one in expected], atol=1e-6
        )
        assert own.count(where) == memory.count(where) and [one.file for one in found] == [
            Path("/data/crops") / one.path for one in expected
        ]
    assert len(own.nearest(query, 99)) == 60, "all but the unreadable one"
    with pytest.raises(GenreidError, match=r"queries are 3 wide and lance:.* 16"):
        own.nearest(np.ones(3, np.float32), 1)


def test_filters_are_those_of_memory(tmp_path: Path) -> None:
    made = table([path for path, _, _ in ROWS])
    for name, at in (("camera", 1), ("time", 2)):
        field = made.schema.get_field_index(name)
        values = pa.array([row[at] for row in ROWS], made.schema.field(name).type)
        made = made.set_column(field, made.schema.field(name), values)
    put(tmp_path, iter([made]))
    own = opened(tmp_path)
    for where, positions in ASKED:
        expected = sorted(ROWS[at][0] for at in positions)
        assert own.to_table(where)["path"].to_pylist() == expected, str(where)
    where, positions = ASKED[8]
    assert own.delete(where) == len(positions) and own.count() == len(ROWS) - len(positions)


def test_images_are_added_and_updated_by_where_they_are(tmp_path: Path) -> None:
    assert put(tmp_path, iter([table(["1.png", "2.png"])])).added == 2
    elsewhere, above = info("/data/other"), info("/data")
    assert put(tmp_path, iter([table(["1.png"], elsewhere, seed=1)])).added == 1
    done = put(tmp_path, iter([table(["crops/2.png", "3.png"], above, seed=2, detail="new")]))
    assert (done.added, done.updated) == (1, 1)
    own = opened(tmp_path)
    rows = {row["path"]: row for row in own.to_table().to_pylist()}
    assert list(rows) == ["/data/3.png", "/data/other/1.png", "1.png", "2.png"]
    assert rows["2.png"]["detail"] == "new" and rows["1.png"]["detail"] == ""
    assert own.nearest(np.array(rows["/data/other/1.png"]["embedding"]), 1)[0].file == Path(
        "/data/other/1.png"
    )
    assert own.info == info(), "the folder is the first one's"


def test_what_does_not_belong_there_is_refused_and_nothing_written(tmp_path: Path) -> None:
    put(tmp_path, iter([table(["1.png"])]))
    with pytest.raises(GenreidError, match="embedded by other weights"):
        put(tmp_path, iter([table(["2.png"], info(fingerprint="1" * 64))]))
    with pytest.raises(
        GenreidError, match="embedded with --views image, and these images with --views mirror"
    ):
        put(tmp_path, iter([table(["2.png"], replace(info(), views="mirror"))]))
    made = table(["2.png"])
    rows = pa.array([[float("nan")] * 16], made.schema.field("embedding").type)
    with pytest.raises(GenreidError, match="are not finite"):
        put(tmp_path, iter([made.set_column(8, made.schema.field("embedding"), rows)]))
    assert (
        opened(tmp_path).to_table()["path"].to_pylist() == ["1.png"]
        and open_lance(tmp_path / "nothing") is None
    )
    import lancedb

    lancedb.connect(tmp_path / "other").create_table("embeddings", made.replace_schema_metadata(None))
    with pytest.raises(GenreidError, match="has no genreid metadata"):
        open_lance(tmp_path / "other")


def test_an_error_of_the_machine_is_the_machines(tmp_path: Path) -> None:
    put(tmp_path, iter([table(["1.png"])]))
    for file in (tmp_path / "embeddings.lance" / "data").iterdir():
        file.write_bytes(b"no rows of ours at all")
    with pytest.raises(GenreidError, match=f"lance:{tmp_path}: LanceDB cannot use it") as caught:
        opened(tmp_path).to_table()
    assert "\n" not in str(caught.value)
    for file in (tmp_path / "embeddings.lance" / "data").iterdir():
        file.unlink()
        file.mkdir()
    with pytest.raises((OSError, GenreidError)) as gone:
        opened(tmp_path).to_table()
    assert not isinstance(gone.value, OSError) or gone.value.filename == f"lance:{tmp_path}"


def test_an_index_from_some_size_on_and_how_much_it_finds(tmp_path: Path) -> None:
    put(tmp_path, iter([table([f"{at}.png" for at in range(300)])]))
    own = opened(tmp_path)
    assert tend(own, 301) is None and index_of(own) is None
    index = tend(own, 300)
    assert index is not None and (index.images, index.outside) == (300, 0)
    assert index.recall == measured_recall(own) and 0.9 < index.recall <= 1 and index.measured_in == 300
    assert f"300 images (recall {index.recall:.4f} of the 10 nearest, measured in 300)" in str(index)
    memory = Gallery.from_table(own.to_table(), "here")
    for row in memory.embedding[:5]:
        expected = [one.path for one in memory.nearest(row, 3)]
        assert [one.path for one in replace(own, exact=True).nearest(row, 3)] == expected
    few = own.nearest(memory.embedding[0], 20, Where(paths=("1?.png",)))
    assert len(few) == 10, "all that a filter leaves, in whatever part of the index"

    put(tmp_path, iter([table([f"new_{at}.png" for at in range(20)], seed=1)]))
    later = tend(own, 300)
    assert later is not None and (later.images, later.outside) == (300, 20), "one by one, so few"
    newest = own.to_table(Where(paths=("new_7.png",)))["embedding"].to_pylist()[0]
    assert own.nearest(np.array(newest, np.float32), 1)[0].path == "new_7.png"
    put(tmp_path, iter([table([f"more_{at}.png" for at in range(40)], seed=2)]))
    merged = tend(own, 300)
    assert merged is not None and (merged.images, merged.outside, merged.measured_in) == (360, 0, 360)


def test_recall_counts_what_is_missed(tmp_path: Path) -> None:
    """A search that leaves out every second image: what it finds of the nearest, counted by hand."""
    put(tmp_path, iter([table([f"{at:03d}.png" for at in range(80)])]))
    own = opened(tmp_path)
    assert measured_recall(own, 80, 5) == 1.0

    class Half(LanceGallery):
        def nearest(self, query, k, where=None):
            return [one for one in super().nearest(query, 80) if int(one.path[:3]) % 2 == 0][:k]

    half = Half(own.info, None, own.folder, own.table)
    made = own.to_table()
    rows = np.array(made["embedding"].to_pylist())
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -2)
    expected = np.mean([(np.argsort(-one)[:5] % 2 == 0).mean() for one in similarity])
    assert measured_recall(half, 80, 5) == pytest.approx(expected) and 0.2 < expected < 0.8
