"""Loading: what the decoder gives, the cache, and the two errors."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from genreid.data.images import ImageSet, read_image
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.errors import GenreidError

INFO = ManifestInfo(dataset="tiny", root=".", height_px=4, width_px=2, body="open")


def image_set(root: Path, images: dict[str, np.ndarray]) -> ImageSet:
    rows = []
    for position, (name, image) in enumerate(sorted(images.items())):
        cv2.imencode(".png", image[..., ::-1])[1].tofile(root / name)
        rows.append(
            {
                "image_id": name,
                "path": name,
                "split": "train",
                "camera_id": position,
                "person_id": 1,
                "height": image.shape[0],
                "width": image.shape[1],
                "status": "ok",
                "detail": None,
            }
        )
    return ImageSet(root, Manifest.from_rows(rows, INFO))


def test_images_come_as_rgb_at_the_training_size(tmp_path: Path) -> None:
    red = np.zeros((8, 4, 3), np.uint8)
    red[..., 0] = 200
    red[:4, :, 1] = 100  # the upper half has some green
    images = image_set(tmp_path, {"a.png": red, "b.png": red // 2})
    loaded = images.load(np.array([1, 0, 1]))
    assert loaded.shape == (3, 4, 2, 3)
    assert loaded[1, 0, 0].tolist() == [200, 100, 0]
    assert loaded[0, 3, 1].tolist() == [100, 0, 0]
    assert np.array_equal(loaded[0], loaded[2])


def test_the_second_load_needs_no_file(tmp_path: Path) -> None:
    images = image_set(tmp_path, {"a.png": np.full((4, 2, 3), 9, np.uint8)})
    first = images.load(np.array([0]))
    (tmp_path / "a.png").unlink()
    assert np.array_equal(images.load(np.array([0])), first)


def test_non_ascii_names_with_blanks_are_read(tmp_path: Path) -> None:
    images = image_set(tmp_path, {"Überwachung 1.png": np.full((4, 2, 3), 9, np.uint8)})
    assert images.load(np.array([0])).max() == 9


def test_no_identity_can_be_reached_from_an_image_set(tmp_path: Path) -> None:
    images = image_set(tmp_path, {"a.png": np.full((4, 2, 3), 9, np.uint8)})
    seen = [images, *vars(images).values()]
    assert not any(isinstance(value, Manifest) or hasattr(value, "person_id") for value in seen)


def test_a_missing_file_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(GenreidError, match=r"gone\.png: No such file.*prepare-data"):
        read_image(tmp_path / "gone.png")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n half of it")
    with pytest.raises(GenreidError, match=r"cut\.png: not a readable image"):
        read_image(tmp_path / "cut.png")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(GenreidError, match=r"empty\.png: not a readable image"):
        read_image(tmp_path / "empty.png")


def test_a_file_of_another_size_than_the_manifest_knows_has_changed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", np.full((4, 2, 3), 9, np.uint8))[1].tobytes())
    row = {
        "image_id": "a.png",
        "path": "a.png",
        "split": "train",
        "camera_id": -1,
        "status": "ok",
        "num_bytes": (tmp_path / "a.png").stat().st_size,
    }
    assert ImageSet(tmp_path, Manifest.from_rows([row], INFO)).load(np.array([0])).max() == 9
    row["num_bytes"] = 12_345
    with pytest.raises(GenreidError, match=r"a\.png: \d+ bytes, 12,345 when .* made.*prepare-data"):
        ImageSet(tmp_path, Manifest.from_rows([row], INFO)).load(np.array([0]))
