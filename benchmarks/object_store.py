"""Images a second that are looked over (read and decoded) from a disk, from S3, and from a far store.

    python -m benchmarks.object_store --num-images 2000

S3 is the server of `moto` in a process of its own: Python, so it is the slower end. The far store is in the
memory whose reads take a time each, as requests do.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import cv2
import fsspec
import numpy as np
from fsspec.implementations.memory import MemoryFileSystem

from genreid.data import objects
from genreid.data.files import AnyPath
from genreid.data.inspection import inspect_images

_BUCKET = "crops"


class Far(MemoryFileSystem):
    """`far://`: each read takes so many seconds."""

    protocol = "far"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    seconds: ClassVar[float] = 0.0

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("far://").strip("/")

    def cat_file(self, path: str, **options: Any) -> bytes:
        time.sleep(type(self).seconds)
        return bytes(super().cat_file(path, **options))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num-images", type=int, default=2000)
    parser.add_argument("--milliseconds", type=float, default=30.0, help="of a read from the far store")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, s3_server():
        folder = Path(place)
        names = write_crops(folder, arguments.num_images)
        s3, far = fsspec.filesystem("s3"), _far(arguments.milliseconds)
        s3.mkdir(_BUCKET)
        s3.put(f"{place}/", f"{_BUCKET}/", recursive=True)
        for name in names:
            far.pipe_file(f"/crops/{name}", (folder / name).read_bytes())
        tell("disk, one after another", folder, names)
        for at_once in (1, objects.READS_AT_ONCE):
            objects.READS_AT_ONCE = at_once
            objects.reading_threads.cache_clear()
            tell(f"S3 of moto, {at_once} at once", objects.ObjectPath.of(f"s3://{_BUCKET}"), names)
            few = names[: 100 * at_once]
            tell(
                f"{arguments.milliseconds:g} ms away, {at_once} at once",
                objects.ObjectPath.of("far://crops"),
                few,
            )


def tell(what: str, root: AnyPath, names: list[str]) -> None:
    inspect_images(root, names[:64])
    start, cpu = time.perf_counter(), time.process_time()
    facts = inspect_images(root, names)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    assert all(fact.status == "ok" for fact in facts)
    rate, each = len(names) / seconds, 1000 * cpu / len(names)
    print(f"{what:32} {rate:8,.0f} images/s   {each:.2f} ms of a core an image")


def write_crops(folder: Path, num: int) -> list[str]:
    """JPEGs of 256×128 pixels, about as large as a photograph's."""
    names = [f"{number:06}.jpg" for number in range(num)]
    for number, name in enumerate(names):
        coarse = np.random.default_rng(number).integers(0, 256, (32, 16, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (128, 256), interpolation=cv2.INTER_CUBIC)
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tofile(folder / name)
    return names


def _far(milliseconds: float) -> Any:
    fsspec.register_implementation("far", Far, clobber=True)
    Far.seconds = milliseconds / 1000
    return fsspec.filesystem("far")


@contextmanager
def s3_server() -> Iterator[None]:
    """moto's server, found by this process through its environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
