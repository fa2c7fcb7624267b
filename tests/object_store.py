"""A real S3 server, that of `moto`, and a store in the memory that a test can slow down and break."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

WHY_NOT = "moto's S3 server and s3fs are not installed (pip install 'genreid[dev]')"
BUCKET = "crops-of-a-test"


class Bucket:
    """A bucket of the server. client: boto3's. url: of the bucket."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name, self.url = client, name, f"s3://{name}"

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def upload(self, folder: Path, prefix: str) -> str:
        """All files below a folder; the URL of their place."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"{self.url}/{prefix}"

    def read(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def all_keys(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=self.name).get("Contents", ())]


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """The server, one for all tests of a process: s3fs keeps its connections."""
    server_of = pytest.importorskip("moto.server", reason=WHY_NOT).ThreadedMotoServer
    pytest.importorskip("s3fs", reason=WHY_NOT)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_of(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(
    s3_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Bucket:
    """An empty bucket that this process and its children find."""
    import boto3

    nothing = str(tmp_path_factory.mktemp("aws") / "none")  # of the developer's own
    environment = {
        "AWS_ENDPOINT_URL": s3_address,
        "AWS_ACCESS_KEY_ID": "of-a-test",
        "AWS_SECRET_ACCESS_KEY": "of-a-test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": nothing,
        "AWS_SHARED_CREDENTIALS_FILE": nothing,
    }
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = Bucket(boto3.client("s3"), BUCKET)
    made.client.create_bucket(Bucket=BUCKET)
    for key in made.all_keys():
        made.delete(key)
    return made


class SlowStore(MemoryFileSystem):
    """`slow://`: each read takes `seconds`, and is first shown to `before`, which may raise."""

    protocol = "slow"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    seconds: ClassVar[float] = 0.0
    before: ClassVar[Callable[[str], None] | None] = None
    reads: ClassVar[list[str]] = []
    most_at_once: ClassVar[int] = 0
    _now: ClassVar[int] = 0
    _lock: ClassVar[Lock] = Lock()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("slow://").strip("/")

    def cat_file(self, path: str, **options: Any) -> bytes:
        kind = type(self)
        with kind._lock:
            kind._now += 1
            kind.most_at_once = max(kind.most_at_once, kind._now)
            kind.reads.append(path)
        try:
            time.sleep(kind.seconds)
            if kind.before is not None:
                kind.before(path)
            return bytes(super().cat_file(path, **options))
        finally:
            with kind._lock:
                kind._now -= 1

    @classmethod
    def upload(cls, folder: Path, prefix: str) -> str:
        """All files below a folder; the URL of their place."""
        system = fsspec.filesystem("slow")
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                system.pipe_file(f"/{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"slow://{prefix}"


@pytest.fixture
def slow_store() -> Iterator[type[SlowStore]]:
    """Empty, quick and whole."""
    fsspec.register_implementation("slow", SlowStore, clobber=True)
    SlowStore.store.clear()
    SlowStore.reads.clear()
    SlowStore.seconds, SlowStore.before, SlowStore.most_at_once = 0.0, None, 0
    yield SlowStore
    SlowStore.store.clear()
