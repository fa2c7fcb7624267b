"""Files that would do harm: each reader refuses them in one line, and nothing that is in them runs.

Every file is shown to be as dangerous as the test says, by an ordinary loader.
"""

from __future__ import annotations

import base64
import io
import pickle
import resource
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import genreid
from genreid.body.files import read_body_file
from genreid.data.images import read_image
from genreid.data.inspection import inspect_image
from genreid.errors import GenreidError
from genreid.mesh.romp import _load_network
from genreid.models.weights import read_weights
from genreid.render.views import view_table
from pipeline.artifacts import read_table, read_torch, write_table, write_torch
from pipeline.digest import seal
from pipeline.errors import PipelineError
from pipeline.params import load_params
from stages.shared.views import open_views

SIDE = 50_000


class Command:
    """Whoever unpickles it makes a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> Any:
        return Path.touch, (self.witness,)


PICKLES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "our checkpoint": ("joint.pt", lambda path: read_torch(path, "make it again")),
    "others' weights": ("resnet.pth", lambda path: read_weights(path, "take another")),
    "ROMP's weights": ("ROMP.pkl", _load_network),
    "SMPL as simple-romp packs it": ("SMPL_NEUTRAL.pth", read_body_file),
    "SMPL as it is handed out": ("SMPL_NEUTRAL.pkl", read_body_file),
}


@pytest.mark.parametrize("kind", PICKLES)
@pytest.mark.parametrize("how", ["torch.save", "pickle"])
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, kind: str, how: str) -> None:
    name, read = PICKLES[kind]
    path, witness = tmp_path / name, tmp_path / "witness"
    content = {"v_template": Command(witness), "weight": torch.zeros(1)}
    if how == "torch.save":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content | {"weight": 0}, protocol=2))
    with pytest.raises((GenreidError, PipelineError)) as refused:
        read(path)
    assert "\n" not in str(refused.value) and name in str(refused.value)
    assert not witness.exists()
    torch.load(path, weights_only=False) if how == "torch.save" else pickle.loads(path.read_bytes())
    assert witness.exists(), "as dangerous as the test says"


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    path, witness = tmp_path / "body.npz", tmp_path / "witness"
    np.savez(path, v_template=np.array([Command(witness)], dtype=object))
    with pytest.raises(GenreidError, match=r"is not a readable \.npz body \(it holds objects"):
        read_body_file(path)
    assert not witness.exists()
    np.load(path, allow_pickle=True)["v_template"]
    assert witness.exists()


def test_a_table_whose_type_is_a_pickle_is_read_without_it(tmp_path: Path) -> None:
    """What pyarrow before 14.0.1 unpickled (CVE-2023-47248): the type of a column, kept in its metadata."""
    path, witness = tmp_path / "manifest.parquet", tmp_path / "witness"
    pickled = pickle.dumps(Command(witness))
    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickled,
    }
    schema = pa.schema([pa.field("image_id", pa.string(), metadata=metadata)])
    write_table(path, pa.table({"image_id": ["a"]}, schema=schema))
    assert pickled in base64.b64decode(pq.read_metadata(path).metadata[b"ARROW:schema"]), "the file holds it"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyarrow tells that it leaves the type alone
        assert read_table(path, "").column_names == ["image_id"]
    assert not witness.exists()
    pickle.loads(pickled)
    assert witness.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('train: !!python/object/apply:pathlib.Path.touch ["{witness}"]\n', "not valid YAML"),
        ("a: &a [1, 1]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntrain: *c\n", r"aliases \(\*name\) are not read"),
        ("train: " + "[" * 2_000, "nested too deep"),
    ],
    ids=["an object", "aliases of aliases", "deep"],
)
def test_params_make_no_objects_and_do_not_grow(tmp_path: Path, text: str, message: str) -> None:
    path, witness = tmp_path / "params.yaml", tmp_path / "witness"
    path.write_text(text.replace("{witness}", str(witness)))
    with pytest.raises(PipelineError, match=message) as refused:
        load_params(path)
    assert "\n" not in str(refused.value) and not witness.exists()


def test_an_anchor_without_an_alias_is_read(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: &a [1, 1]\nb: [1, 1]\n")
    assert load_params(tmp_path / "params.yaml").values == {"a": [1, 1], "b": [1, 1]}


def png(height: int, width: int) -> bytes:
    """A picture of one bit a pixel, all black, of a few hundred bytes a megapixel or less."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(min(height, 200))) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bmp(height: int, width: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info + bytes(100)


def ppm(height: int, width: int) -> bytes:
    return f"P6 {width} {height} 255\n".encode() + bytes(100)


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (SIDE // 5, SIDE)])
@pytest.mark.parametrize("make", [png, bmp, ppm])
def test_a_picture_of_50000_pixels_a_side_is_refused_before_room_is_made_for_it(
    tmp_path: Path, make: Callable[[int, int], bytes], shape: tuple[int, int]
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(make(*shape))
    assert path.stat().st_size < 10_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert inspect_image(path).status == "unreadable"
    with pytest.raises(GenreidError, match="not a readable image"):
        read_image(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000, "in KB: no tenth of what the smaller of them would fill"


def test_the_limit_is_pillows() -> None:
    from PIL import Image

    assert genreid.os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] == str(2 * (Image.MAX_IMAGE_PIXELS or 0))


@pytest.mark.parametrize("kind", ["a long word in every row", "a run of one number", "zeros"])
def test_a_table_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Of 500 MB and of 80 MB, on a machine with less."""
    path, free = tmp_path / "embeddings.parquet", 60_000_000
    if kind == "a long word in every row":
        # Written as a dictionary from the start: in full it would be 500 MB here, too.
        column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(5_000, np.int32)), ["x" * 100_000])
        table, options, expected = pa.table({"image_id": column}), {"store_schema": False}, 5.0e8
    else:
        column = pa.array(np.zeros(10_000_000))
        options = {"use_dictionary": kind == "a run of one number"}
        table, expected = pa.table({"score": column}), 8.0e7
    write_table(path, table, **options)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PipelineError) as refused:
        read_table(path, "embed the folder again")
    said = str(refused.value)
    assert f"it would unpack to {expected / 1e9:,.1f} GB, and 0.1 GB of memory are free" in said
    assert "\n" not in said and said.endswith("; embed the folder again")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000, "in KB"


@pytest.mark.parametrize("column", ["image_id", "png"])
def test_a_shard_of_views_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """Though read piece by piece: its images' names are read at once, and one piece may be all of it."""
    path, num_rows = tmp_path / "part-00000.parquet", 5_000
    views = view_table([("a", [np.zeros((2, 2), np.uint8)])], (0,), "the body").take([0] * num_rows)
    word: str | bytes = b"x" * 100_000 if column == "png" else "x" * 100_000
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(num_rows, np.int32)), [word])
    write_table(path, views.set_column(views.column_names.index(column), column, words), store_schema=False)
    assert path.stat().st_size < 200_000
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=60_000_000))
    project = SimpleNamespace(parts=lambda key: [path], remedy=lambda key: "render them again")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PipelineError) as refused:
        open_views(cast(Any, project))
    said = str(refused.value)
    assert "it would unpack to 0.5 GB, and 0.1 GB of memory are free" in said
    assert "\n" not in said and said.startswith(str(path)) and said.endswith("; render them again")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000, "in KB"


def test_a_table_of_short_words_is_measured_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dictionaries might stand for more than there is, and do not."""
    table = pa.table({"image_id": [f"{n:05d}" for n in range(20_000)], "split": ["train", "query"] * 10_000})
    write_table(tmp_path / "manifest.parquet", table)
    free = 2_000_000
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    assert read_table(tmp_path / "manifest.parquet", "").equals(table)


def packed(path: Path) -> Path:
    """The same archive, compressed."""
    smaller = path.with_name(f"packed_{path.name}")
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(smaller, "w", zipfile.ZIP_DEFLATED) as parts:
        for part in whole.infolist():
            parts.writestr(part.filename, whole.read(part.filename))
        parts.comment = whole.comment
    return smaller


@pytest.mark.parametrize("kind", [kind for kind in PICKLES if kind != "SMPL as it is handed out"])
def test_a_torch_file_that_is_compressed_is_refused(tmp_path: Path, kind: str) -> None:
    """SMPL as it is handed out is no torch file."""
    name, read = PICKLES[kind]
    path = tmp_path / name
    write_torch(path, {"weight": torch.zeros(1_000_000)})
    smaller = packed(path)
    if kind == "our checkpoint":
        content = smaller.read_bytes()
        mark = content.rindex(b"genreid-sha256:") + len(b"genreid-sha256:")
        smaller.write_bytes(content[:mark] + b"0" * 64 + content[mark + 64 :])
        seal(smaller)
    assert smaller.stat().st_size < 20_000
    assert torch.load(smaller, weights_only=True)["weight"].shape == (1_000_000,), "torch would unpack it"
    with pytest.raises((GenreidError, PipelineError), match="and torch packs nothing"):
        read(smaller)


def npz(path: Path, *, shape: tuple[int, ...], num_bytes: int) -> Path:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    deflated = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
    with deflated as archive, archive.open("v_template.npy", "w", force_zip64=True) as part:
        part.write(header.getvalue())
        for _ in range(num_bytes >> 20):
            part.write(bytes(1 << 20))
    return path


@pytest.mark.parametrize(
    ("shape", "num_bytes", "expected"),
    [
        ((400_000_000, 3), 1_100_000_000, "it would unpack to 1.1 GB, and no body is so large"),
        ((1 << 60, 3), 1 << 20, "v_template.npy names 13,835,058,055.3 GB and holds 1,048"),
    ],
    ids=["zeros", "a header alone"],
)
def test_arrays_that_would_fill_the_memory_are_refused(
    tmp_path: Path, shape: tuple[int, ...], num_bytes: int, expected: str
) -> None:
    path = npz(tmp_path / "body.npz", shape=shape, num_bytes=num_bytes)
    assert path.stat().st_size < 2_000_000
    with pytest.raises(GenreidError) as refused:
        read_body_file(path)
    assert expected in str(refused.value) and "\n" not in str(refused.value)
