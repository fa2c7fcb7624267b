"""A folder as a table, and the search in it, against loops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch

from genreid.deployment.gallery import Gallery, embed_folder, list_images, without_camera_means
from genreid.deployment.gallery_table import GalleryInfo, gallery_schema
from genreid.deployment.looking import Looker
from genreid.errors import GenreidError
from genreid.models.initialisation import build_encoder
from tests.genreid.models.small import ENCODER

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("b.JPG", "a é.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        done, encoded = cv2.imencode(Path(name).suffix, rng.integers(0, 256, (20, 10, 3), dtype=np.uint8))
        assert done
        (tmp_path / name).write_bytes(encoded.tobytes())
    (tmp_path / "broken.png").write_bytes(b"")
    (tmp_path / "._a.png").write_bytes(b"left by another system")
    return tmp_path


def info(folder: Path) -> GalleryInfo:
    return GalleryInfo(
        str(folder), "joint.pt", "0" * 64, height_px=32, width_px=16, embedding_dim=64, views="image"
    )


def embedded(folder: Path, batch_size: int) -> pa.Table:
    encoder = build_encoder(ENCODER, 0).eval()
    names = list_images(folder)
    looker = Looker(encoder, "image", (32, 16), CPU)
    tables = embed_folder(looker, names, info(folder), batch_size=batch_size, num_threads=2)
    return pa.concat_tables(tables)


def test_images_are_listed_once_and_in_order(folder: Path) -> None:
    assert list_images(folder) == ["a é.png", "b.JPG", "broken.png", "sub/c.png"]


def test_rows_do_not_depend_on_the_batch(folder: Path) -> None:
    whole, single = embedded(folder, 8), embedded(folder, 1)
    assert whole.schema == single.schema == gallery_schema(info(folder))
    assert whole.drop(["embedding"]).equals(single.drop(["embedding"]))
    assert whole["status"].to_pylist() == ["ok", "ok", "unreadable", "ok"]
    for one, other in zip(whole["embedding"].to_pylist(), single["embedding"].to_pylist(), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=1e-6)
            assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)


def test_the_table_comes_back_and_is_searched_as_a_loop_would(folder: Path) -> None:
    table = embedded(folder, 2)
    gallery = Gallery.from_table(table, "here")
    assert gallery.info == info(folder) and gallery.path == ["a é.png", "b.JPG", "sub/c.png"]
    query = gallery.embedding[1] * 0.8 + gallery.embedding[2] * 0.2
    query /= np.linalg.norm(query)
    found = gallery.nearest(query, 9)
    paths = [one.path for one in found]
    cosines = {path: float(row @ query) for path, row in zip(gallery.path, gallery.embedding, strict=True)}
    assert paths == sorted(cosines, key=lambda path: -cosines[path])
    np.testing.assert_allclose(
        [one.similarity for one in found], [cosines[path] for path in paths], atol=1e-6
    )
    assert found[0].file == folder / paths[0]


def test_camera_means_are_taken_off_and_kept(folder: Path) -> None:
    (folder / "c1_b.png").write_bytes((folder / "sub" / "c.png").read_bytes())
    (folder / "b.JPG").rename(folder / "c1_a.JPG")
    plain = embedded(folder, 2)
    assert plain["path"].to_pylist() == ["a é.png", "broken.png", "c1_a.JPG", "c1_b.png", "sub/c.png"]
    table = without_camera_means(plain, r"(?P<camera>c\d)_")
    assert table["camera"].to_pylist() == [None, None, "c1", "c1", None]
    assert table.drop(["embedding", "camera"]).equals(plain.drop(["embedding", "camera"]))

    rows = [np.array(row) for row in plain["embedding"].to_pylist() if row is not None]
    overall, own = sum(rows) / 4, (rows[1] + rows[2]) / 2
    gallery = Gallery.from_table(table, "here")
    for found, row, mean in zip(gallery.embedding, rows, [overall, own, own, overall], strict=True):
        expected = (row - mean) / np.sqrt(((row - mean) ** 2).sum())
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert gallery.means is not None and list(gallery.means.by_camera) == ["c1"]
    np.testing.assert_allclose(gallery.means.by_camera["c1"], own, atol=1e-6)
    np.testing.assert_allclose(gallery.means.overall, overall, atol=1e-6)
    assert Gallery.from_table(plain, "here").means is None

    assert gallery.camera_of(folder / "c1_z.png") == "c1" and gallery.camera_of(Path("c1_z.png")) == "c1"
    assert gallery.camera_of(Path("c1_folder/z.png")) is None, "a folder elsewhere is no part of a name"
    assert gallery.camera_of(folder / "c9_z.png") is None, "a camera that the gallery does not have"
    assert gallery.name_of(folder / "sub" / "x.png") == "sub/x.png"


def test_tables_that_are_none_are_refused(folder: Path) -> None:
    table = embedded(folder, 8)
    with pytest.raises(GenreidError, match="here has no genreid metadata"):
        Gallery.from_table(table.replace_schema_metadata({}), "here")
    with pytest.raises(GenreidError, match="here holds no embedding: none of its 1 images is readable"):
        Gallery.from_table(table.slice(2, 1), "here")
    rows = table["embedding"].to_pylist()
    rows[1][5] = float("nan")
    column = table.schema.get_field_index("embedding")
    broken = table.set_column(
        column, table.schema.field(column), pa.array(rows, table.schema.field(column).type)
    )
    with pytest.raises(GenreidError, match="here holds embeddings that are not finite; embed the folder"):
        Gallery.from_table(broken, "here")
    gallery = Gallery.from_table(table, "here")
    with pytest.raises(GenreidError, match="queries are 3 wide and the gallery 64"):
        replace(gallery).nearest(np.array([1, 0, 0], np.float32), 1)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenreidError, match="holds no image"):
        list_images(tmp_path)
    with pytest.raises(GenreidError, match="no such folder"):
        list_images(tmp_path / "gone")
