"""A gallery in LanceDB beside faiss: `python -m benchmarks.database append | index | exact | approximate`.

append: the rows written in one commit; faiss' flat index filled and written to a file. index: the approximate
index made; faiss' of the same kind (parts, eight bits a number) trained, filled and written. exact and
approximate: searches one after another by a process that has just begun, the index read among them; recall is
of the ten nearest of an exact search by faiss. Each kind needs what those before it left in the folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa

from benchmarks.measure import Row, finish_side, measured, row, side, side_arguments, table
from genreid.deployment.gallery_table import GalleryInfo, gallery_schema
from genreid.deployment.lance_gallery import PARTS, LanceGallery, open_lance, put
from genreid.deployment.lance_index import make_index

MILLION = (1_000_000, 256)
KINDS = ("append", "index", "exact", "approximate")
K, NUM_HELD_OUT = 10, 1000
SEARCHES = {"exact": 10, "approximate": 100}
FOLDER = Path(".genreid/benchmarks/database")
_STEP = 8192
_ROWS_A_PART = 8192
"""As LanceDB has them by itself."""
ALTERNATIVES = {
    "append": "faiss' flat index in memory, written to a file",
    "index": "faiss' IVF with eight bits a number, trained, filled and written to a file",
    "exact": "faiss' flat index, read from its file",
    "approximate": "faiss' IVF with eight bits a number, read from its file",
}


def compare(kind: str, num: int, width: int, folder: Path = FOLDER) -> Row:
    """LanceDB beside faiss on the same rows, which are kept in the folder."""
    _write_people(folder, num, width)
    options: dict[str, Any] = {"kind": kind, "num": num, "width": width, "folder": folder}
    ours, found, near = side("database", "ours", **options)
    theirs, other, others = side("database", "field", **options)
    agreement = f"{found['disk_gb']:.2f} GB on the disk, faiss {other['disk_gb']:.2f}"
    if kind in SEARCHES:
        exact = _exact(folder, num, width, SEARCHES[kind])
        recall, its = (_recall(one["near"], exact) for one in (near, others))
        agreement = f"{SEARCHES[kind]} searches; recall {recall:.4f}, faiss {its:.4f}"
    setting = f"{kind}, N = {num:,}, D = {width}"
    return row("database", setting, num, ours, theirs, alternative=ALTERNATIVES[kind], agreement=agreement)


def run_side(arguments: argparse.Namespace) -> None:
    near, cost = measured(lambda: _WAYS[arguments.side, arguments.kind](arguments))
    kept = "lance" if arguments.side == "ours" else f"{arguments.kind}.faiss"
    size = sum(file.stat().st_size for file in _files(arguments.folder / kept))
    arrays = {} if near is None else {"near": near}
    finish_side(arguments, cost, {"disk_gb": size / 1e9}, **arrays)


def _append(arguments: argparse.Namespace) -> None:
    put(arguments.folder / "lance", _tables(arguments))


def _index(arguments: argparse.Namespace) -> None:
    make_index(_gallery(arguments))


def _search(arguments: argparse.Namespace) -> np.ndarray:
    gallery = _gallery(arguments, exact=arguments.kind == "exact")
    queries = _queries(arguments.folder, arguments.num, arguments.width)[: SEARCHES[arguments.kind]]
    return np.array([[int(one.path) for one in gallery.nearest(query, K)] for query in queries])


def _append_faiss(arguments: argparse.Namespace) -> None:
    index = faiss.IndexFlatIP(arguments.width)
    for rows in _rows(arguments):
        index.add(rows)
    faiss.write_index(index, str(arguments.folder / "append.faiss"))


def _index_faiss(arguments: argparse.Namespace) -> None:
    num_parts = max(1, arguments.num // _ROWS_A_PART)
    coarse = faiss.IndexFlatIP(arguments.width)
    index = faiss.IndexIVFScalarQuantizer(
        coarse, arguments.width, num_parts, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.train(_sample(arguments, 256 * num_parts))
    for rows in _rows(arguments):
        index.add(rows)
    faiss.write_index(index, str(arguments.folder / "index.faiss"))


def _search_faiss(arguments: argparse.Namespace) -> np.ndarray:
    name = "append" if arguments.kind == "exact" else "index"
    index = faiss.read_index(str(arguments.folder / f"{name}.faiss"))
    if name == "index":
        faiss.extract_index_ivf(index).nprobe = PARTS
    queries = _queries(arguments.folder, arguments.num, arguments.width)[: SEARCHES[arguments.kind]]
    return np.concatenate([index.search(query[None], K)[1] for query in queries])


_WAYS = {
    ("ours", "append"): _append,
    ("ours", "index"): _index,
    ("ours", "exact"): _search,
    ("ours", "approximate"): _search,
    ("field", "append"): _append_faiss,
    ("field", "index"): _index_faiss,
    ("field", "exact"): _search_faiss,
    ("field", "approximate"): _search_faiss,
}


def _gallery(arguments: argparse.Namespace, *, exact: bool = False) -> LanceGallery:
    gallery = open_lance(arguments.folder / "lance", exact=exact)
    assert gallery is not None, "measure append first"
    return gallery


def _people_file(folder: Path, num: int, width: int) -> Path:
    return folder / f"people_{num}_{width}.f32"


def _write_people(folder: Path, num: int, width: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not (path := _people_file(folder, num, width)).exists():
        from benchmarks.inputs import people  # brings torch, which would count as memory of each side

        partial = path.with_suffix(".partial")
        people(num + NUM_HELD_OUT, width).features.numpy().tofile(partial)
        partial.rename(path)


def _rows(arguments: argparse.Namespace) -> Iterator[np.ndarray]:
    """Piece by piece, so that memory is what each side needs."""
    with _people_file(arguments.folder, arguments.num, arguments.width).open("rb") as file:
        for start in range(0, arguments.num, _STEP):
            num = min(_STEP, arguments.num - start)
            yield np.fromfile(file, np.float32, num * arguments.width).reshape(num, -1)


def _sample(arguments: argparse.Namespace, num: int) -> np.ndarray:
    every = max(1, arguments.num // num)
    return np.concatenate([rows[::every] for rows in _rows(arguments)])


def _queries(folder: Path, num: int, width: int) -> np.ndarray:
    path = _people_file(folder, num, width)
    return np.fromfile(path, np.float32, offset=4 * num * width).reshape(NUM_HELD_OUT, width)


def _tables(arguments: argparse.Namespace) -> Iterator[pa.Table]:
    width = arguments.width
    schema = gallery_schema(GalleryInfo("/crops", "joint.pt", "0" * 64, 256, 128, width, "image"))
    start = 0
    for rows in _rows(arguments):
        at = np.arange(start, start + len(rows))
        start += len(rows)
        size = np.full(len(rows), 1, np.int32)
        camera = pa.array([f"c{one % 6}" for one in at])
        columns = {
            "path": pa.array([str(one) for one in at]),
            "status": pa.array(["ok"] * len(rows)),
            "detail": pa.nulls(len(rows), pa.string()),
            "height": size,
            "width": size,
            "camera": camera,
            "time": pa.array(at * 1_000_000, pa.timestamp("us")),
            "views": size,
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), width),
        }
        yield pa.table(columns, schema=schema)


def _exact(folder: Path, num: int, width: int, num_queries: int) -> np.ndarray:
    index = faiss.read_index(str(folder / "append.faiss"))
    return index.search(_queries(folder, num, width)[:num_queries], K)[1]


def _recall(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.mean([len(set(one) & set(other)) / K for one, other in zip(found, exact, strict=True)]))


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def main() -> None:
    parser = side_arguments(__doc__)
    parser.add_argument("kind_of_work", nargs="?", choices=KINDS, default="append")
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--num", type=int, default=MILLION[0])
    parser.add_argument("--width", type=int, default=MILLION[1])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments)
        return
    print(table([compare(arguments.kind_of_work, arguments.num, arguments.width, arguments.folder)]))


if __name__ == "__main__":
    main()
