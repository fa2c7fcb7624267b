"""A process that puts images into a gallery, and can be made to wait in the middle of its commit:
`python -m tests.genreid.deployment.lance_writer FOLDER NAME KEPT [REACHED GO]`. KEPT is a file that it makes
when all rows are there and only the commit is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from genreid.deployment import lance_gallery
from genreid.deployment.gallery_table import GalleryInfo, gallery_schema

WIDTH = 16
BOTH = "both.png"


def info(folder: str = "/data/crops", fingerprint: str = "0" * 64) -> GalleryInfo:
    return GalleryInfo(folder, "joint.pt", fingerprint, 32, 16, WIDTH, "image")


def table(paths: list[str], own: GalleryInfo | None = None, seed: int = 0, detail: str = "") -> pa.Table:
    """Readable images, but those called broken, with random embeddings, cameras c0 to c2."""
    num, rng = len(paths), np.random.default_rng(seed)
    rows = rng.standard_normal((num, WIDTH)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    readable = ["broken" not in path for path in paths]
    columns = {
        "path": paths,
        "status": ["ok" if one else "unreadable" for one in readable],
        "detail": [detail] * num,
        "height": [48] * num,
        "width": [24] * num,
        "camera": [f"c{at % 3}" for at in range(num)],
        "time": [at * 1_000_000 for at in range(num)],
        "views": [1] * num,
        "embedding": [row if one else None for row, one in zip(rows, readable, strict=True)],
    }
    return pa.table(columns, schema=gallery_schema(own or info()))


def written_by(name: str) -> list[str]:
    return [BOTH, *(f"{name}_{at}.png" for at in range(40))]


def opened(folder: Path) -> lance_gallery.LanceGallery:
    found = lance_gallery.open_lance(folder)
    assert found is not None
    return found


def main() -> None:
    folder, name, kept, *signs = sys.argv[1:]
    if signs:
        reached, go = map(Path, signs)
        place = lance_gallery.placed_below

        def waiting(root: str, path: str) -> str:
            if path.endswith("_30.png"):
                reached.touch()
                while not go.exists():
                    time.sleep(0.02)
            return place(root, path)

        lance_gallery.placed_below = waiting

    def tables() -> Iterator[pa.Table]:
        paths = written_by(name)
        for start in range(0, len(paths), 8):
            yield table(paths[start : start + 8], detail=name)
        Path(kept).touch()

    lance_gallery.put(Path(folder), tables())


if __name__ == "__main__":
    main()
