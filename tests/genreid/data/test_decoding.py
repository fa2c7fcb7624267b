"""Files of every kind that people have: inspection and `embed` see the same status and the same pixels."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from genreid.data.decoding import Undecodable, decode
from genreid.data.images import ImageSet, read_image
from genreid.data.inspection import inspect_image
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.deployment.gallery import _read
from genreid.errors import GenreidError

HEIGHT, WIDTH = 16, 8
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F")
COMPRESSIONS = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4")


def gradient() -> np.ndarray:
    """(h, w, 3) uint8 RGB that is the same in no turn."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([rows * 15, columns * 30, 255 - rows * 10], axis=2).astype(np.uint8)


def of_mode(mode: str) -> Image.Image:
    image = Image.fromarray(gradient())
    if mode == "I;16":
        return Image.fromarray(gradient()[..., 0].astype(np.uint16) * 256 + 200)
    return image.convert("L").convert(mode) if mode in ("I", "F") else image.convert(mode)


def variants() -> dict[str, bytes]:
    """Every mode, format, compression and orientation that Pillow can write; a 16-bit colour PNG."""
    found = {}
    for mode, kind, turn in product(MODES, ("TIFF", "PNG", "JPEG", "BMP", "WEBP"), (1, 3, 6)):
        exif = Image.Exif()
        exif[0x0112] = turn
        for compression in COMPRESSIONS if kind == "TIFF" else (None,):
            options = {"compression": compression} if compression else {}
            stream = io.BytesIO()
            try:
                of_mode(mode).save(stream, kind, exif=exif, **options)
            except (OSError, ValueError, KeyError):  # the format has no such pixels
                continue
            found[f"{mode} {kind} {compression or 'plain'} turn {turn}"] = stream.getvalue()
    deep = gradient().astype(np.uint16)[..., ::-1] * 256 + 99
    for suffix in (".png", ".tiff"):
        found[f"colour of 16 bits {suffix}"] = cv2.imencode(suffix, deep)[1].tobytes()
    alpha = Image.fromarray(gradient()).convert("P")
    stream = io.BytesIO()
    alpha.save(stream, "PNG", transparency=bytes(range(256)))
    return found | {"a palette with transparency": stream.getvalue()}


VARIANTS = variants()


def embedded(path: Path) -> np.ndarray | None:
    """What `genreid embed` makes of the file."""
    found = _read(path, path.parent)
    return None if isinstance(found, str) else found


def trained(path: Path, num_bytes: int) -> np.ndarray | None:
    """What training makes of it, where the manifest holds it for readable."""
    row = {"image_id": "a", "path": path.name, "split": "train", "camera_id": 1, "status": "ok"}
    manifest = Manifest.from_rows([row | {"num_bytes": num_bytes}], ManifestInfo("tiny", ".", 4, 2, "open"))
    try:
        return ImageSet(path.parent, manifest).load_native(0)
    except GenreidError:
        return None


def test_inspection_training_and_embedding_agree(tmp_path: Path) -> None:
    assert len(VARIANTS) > 100
    readable = 0
    for name, whole in VARIANTS.items():
        for share in (1.0, 0.97, 0.6):
            (tmp_path / "a").write_bytes(whole[: int(share * len(whole))])
            facts = inspect_image(tmp_path / "a")
            seen, learnt = embedded(tmp_path / "a"), trained(tmp_path / "a", facts.num_bytes or 0)
            if facts.status == "unreadable":
                assert seen is None and learnt is None, name
                continue
            assert seen is not None and learnt is not None, name
            assert seen.shape == (facts.height, facts.width, 3) and seen.dtype == np.uint8, name
            assert np.array_equal(seen, learnt) and np.array_equal(seen, read_image(tmp_path / "a")), name
            readable += 1
    assert readable > 100


@pytest.mark.parametrize("kind", ["PNG plain", "TIFF plain", "TIFF tiff_lzw", "BMP plain"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_what_loses_nothing_gives_the_pixels_that_were_written(mode: str, kind: str) -> None:
    expected = np.array(of_mode(mode).convert("RGB"))
    assert np.array_equal(decode(VARIANTS[f"{mode} {kind} turn 1"]), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_pixels_are_those_that_opencv_gives(kind: str) -> None:
    encoded = VARIANTS[f"RGB {kind} plain turn 1"]
    theirs = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decode(encoded), theirs[..., ::-1])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(("turn", "quarters"), [(3, 2), (6, 3)])
def test_pictures_are_turned_upright_in_every_format(kind: str, turn: int, quarters: int) -> None:
    lying, upright = (decode(VARIANTS[f"L {kind} plain turn {which}"]) for which in (1, turn))
    assert np.array_equal(upright, np.rot90(lying, quarters))


def test_sixteen_bits_become_the_upper_eight() -> None:
    grey = np.repeat(gradient()[..., :1], 3, axis=2)
    assert np.array_equal(decode(VARIANTS["I;16 PNG plain turn 1"]), grey)
    assert np.array_equal(decode(VARIANTS["I;16 TIFF plain turn 1"]), grey)
    assert np.array_equal(decode(VARIANTS["colour of 16 bits .png"]), gradient())


@pytest.mark.parametrize("mode", ["F", "I", "LAB"])
def test_pixels_of_no_known_range_are_refused(mode: str) -> None:
    with pytest.raises(Undecodable, match=f"pixels of mode {mode}"):
        decode(VARIANTS[f"{mode} TIFF plain turn 1"])
