"""The manifest: round trip, selection, and what it refuses."""

import json

import numpy as np
import pyarrow as pa
import pytest

from genreid.data.manifest import UNLABELLED, Manifest, ManifestInfo
from genreid.errors import GenreidError

INFO = ManifestInfo(dataset="tiny", root="data/images", height_px=64, width_px=32, body="open")


def row(image_id: str, split: str = "train", **changes: object) -> dict[str, object]:
    return {
        "image_id": image_id,
        "path": f"{image_id}.png",
        "split": split,
        "camera_id": 3,
        "person_id": 7,
        "height": 128,
        "width": 64,
        "status": "ok",
        "detail": None,
        **changes,
    }


def test_rows_come_back_sorted_with_nulls_and_info() -> None:
    manifest = Manifest.from_rows([row("b", person_id=None), row("a", camera_id=-1)], INFO)
    back = Manifest.from_table(manifest.to_table())
    assert back.info == INFO
    assert back.image_id == ["a", "b"]
    assert back.person_id.tolist() == [7, UNLABELLED]
    assert back.camera_id.tolist() == [-1, 3]
    assert (back.height.tolist(), back.width.tolist()) == ([128, 128], [64, 64])


def test_select_keeps_readable_images_of_the_named_splits() -> None:
    rows = [
        row("a"),
        row("b", status="unreadable", height=None, width=None, detail="truncated"),
        row("c", "query"),
        row("d", "gallery"),
    ]
    manifest = Manifest.from_rows(rows, INFO)
    assert manifest.select("train").image_id == ["a"]
    assert manifest.select("query", "gallery").image_id == ["c", "d"]
    assert manifest.has_split("gallery") and not manifest.has_split("val_query")


def test_rows_at_positions_keep_their_order_and_info() -> None:
    manifest = Manifest.from_rows([row("a"), row("b"), row("c", num_bytes=7)], INFO)
    some = manifest.rows(np.array([0, 2]))
    assert some.image_id == ["a", "c"] and some.info == INFO
    assert some.num_bytes.tolist() == [-1, 7]


def test_empty_selection_names_the_split_and_the_remedy() -> None:
    manifest = Manifest.from_rows([row("a")], INFO)
    with pytest.raises(GenreidError, match=r"no readable image in split val_query.*prepare-data"):
        manifest.select("val_query")
    with pytest.raises(GenreidError, match="no split is called 'test'"):
        manifest.select("test")


def test_a_repeated_id_is_refused() -> None:
    with pytest.raises(GenreidError, match="'a' stands twice"):
        Manifest.from_rows([row("a"), row("a")], INFO)


def test_a_foreign_table_is_refused() -> None:
    with pytest.raises(GenreidError, match="not written by"):
        Manifest.from_table(pa.table({"image_id": ["a"]}))


def test_another_version_is_refused() -> None:
    table = Manifest.from_rows([row("a")], INFO).to_table()
    (key, value), *_ = table.schema.metadata.items()
    other = table.replace_schema_metadata({key: value.replace(b'"version": 2', b'"version": 99')})
    with pytest.raises(GenreidError, match="schema version 99"):
        Manifest.from_table(other)


def test_what_is_said_of_the_data_set_stands_in_order() -> None:
    """So that the bytes do not depend on the order in which the program names it."""
    ((_, value),) = Manifest.from_rows([row("a")], INFO).to_table().schema.metadata.items()
    kept = json.loads(value)
    assert list(kept) == sorted(kept) and kept == {"version": 2, **vars(INFO)}


def test_an_overview_of_what_there_is() -> None:
    rows = [
        row("a", person_id=1, camera_id=1),
        row("b", person_id=1, camera_id=-1, status="unreadable", detail="empty"),
        row("c", person_id=2, camera_id=2),
        row("d", "gallery", person_id=-1),
        row("e", "gallery", person_id=0, camera_id=4),
    ]
    header, found = Manifest.from_rows(rows, INFO).overview()
    assert header == ("split", "images", "unreadable", "identities", "cameras")
    assert found == [("gallery", 2, 0, 0, 2), ("train", 3, 1, 2, 2)]
