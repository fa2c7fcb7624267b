"""Looking images over: what training will decode, and what it could not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from genreid.data.images import read_image
from genreid.data.inspection import inspect_image
from tests.genreid.data.datasets.trees import picture


@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "P", "1", "CMYK"])
def test_channels_of_every_kind_are_read_as_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.fromarray(picture()).convert(mode).save(path)
    facts = inspect_image(path)
    assert (facts.status, facts.height, facts.width) == ("ok", 16, 8)
    assert facts.num_bytes == path.stat().st_size
    assert read_image(path).shape == (16, 8, 3)


def test_exif_rotation_counts(tmp_path: Path) -> None:
    upright = np.zeros((64, 32, 3), np.uint8)
    upright[:32, :, 0] = 255  # red above
    lying = Image.fromarray(np.rot90(upright, 1).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned by 90 degrees clockwise
    lying.save(tmp_path / "a.jpg", exif=exif, quality=95)
    facts = inspect_image(tmp_path / "a.jpg")
    assert (facts.height, facts.width) == (64, 32)
    assert read_image(tmp_path / "a.jpg")[8, 16, 0] > 200 > 60 > read_image(tmp_path / "a.jpg")[56, 16, 0]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.95, 0.5, 0.0])
def test_a_file_cut_short_is_unreadable(tmp_path: Path, suffix: str, share: float) -> None:
    encoded = cv2.imencode(suffix, picture(0, 64, 32))[1].tobytes()
    (tmp_path / "a").write_bytes(encoded[: int(share * len(encoded))])
    facts = inspect_image(tmp_path / "a")
    assert facts.status == "unreadable" and facts.height is None
    assert facts.detail and "\n" not in facts.detail and str(tmp_path) not in facts.detail


def test_what_is_no_image_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    assert inspect_image(tmp_path / "a.jpg").detail == "no image"
    assert inspect_image(tmp_path / "b.jpg").detail == "No such file or directory"


@pytest.mark.parametrize(("width", "status"), [(32_767, "ok"), (32_768, "unreadable")])
def test_sides_are_as_long_as_a_column_of_16_bits_takes(tmp_path: Path, width: int, status: str) -> None:
    Image.new("RGB", (width, 2)).save(tmp_path / "a.png")
    facts = inspect_image(tmp_path / "a.png")
    assert (facts.status, facts.width) == (status, width if status == "ok" else None)
    assert status == "ok" or facts.detail == "2x32768 pixels: more than 32767 along a side"
