"""Folders in object storage, such as `s3://bucket/folder`, with as much of `pathlib.Path` as data sets ask.

Only here is fsspec imported, and only where a URL is used. All that lies below a folder is listed once, when
it is first asked for: a million objects are a thousand requests, and questions after that are none.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

from genreid.errors import GenreidError, is_of_machine

READS_AT_ONCE = 32
"""By one process. A request takes some ten milliseconds, in which this many others are under way."""

_STAMPS = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "updated", "mtime")
"""What stores call the digest of an object, or the time of its last change; the first that is known counts.
"""
_S3 = ("s3", "s3a")
_MOST_WORDS = 200


def is_url(text: str) -> bool:
    """Whether a folder is one of an object store."""
    return "://" in text


@cache
def reading_threads() -> ThreadPoolExecutor:
    """The threads in which all objects are read, whoever asks: what is under way stays bounded."""
    return ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="store")


@dataclass(frozen=True)
class ObjectPath:
    """An object, or a folder of objects.

    key: below the URL of the store, without a slash at its ends; the folder at that URL has "".
    """

    store: Store
    key: str = ""

    @classmethod
    def of(cls, url: str) -> ObjectPath:
        """The folder at a URL. Raises GenreidError where no installed package knows such a store."""
        protocol, _, place = url.partition("://")
        folder = cls(Store(f"{protocol}://{place.rstrip('/')}"))
        folder.store.open()
        return folder

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(self.store, f"{self.key}/{name}" if self.key else name)

    def __str__(self) -> str:
        return f"{self.store.url}/{self.key}" if self.key else self.store.url

    @property
    def name(self) -> str:
        return str(self).rpartition("/")[2]

    def is_file(self) -> bool:
        return self.key in self.store.listing().stamps

    def is_dir(self) -> bool:
        return self.key in self.store.listing().folders

    def exists(self) -> bool:
        return self.is_file() or self.is_dir()

    def iterdir(self) -> Iterator[ObjectPath]:
        """The objects and folders right below this folder, sorted."""
        inside, known = f"{self.key}/" if self.key else "", self.store.listing()
        for key in sorted({*known.stamps, *known.folders} - {""}):
            if key.startswith(inside) and "/" not in key[len(inside) :]:
                yield ObjectPath(self.store, key)

    def files_below(self) -> Iterator[str]:
        """Every object below this folder, relative to it, in the order in which folders of a disk are walked:
        a folder's own files come before those of the folders in it."""
        inside = f"{self.key}/" if self.key else ""
        found = (key[len(inside) :] for key in self.store.listing().stamps if key.startswith(inside))
        return iter(sorted(found, key=_walked))

    def stamp(self) -> str:
        """Size and digest (or time of change) as the store was listed; "-" where there is no such object."""
        return self.store.listing().stamps.get(self.key, "-")

    def read_bytes(self) -> bytes:
        """The content of the object. Raises as `genreid.data.files.read_file` does."""
        return self.store.read(self.key)

    def read_text(self, encoding: str) -> str:
        return self.read_bytes().decode(encoding)


def _walked(key: str) -> list[tuple[bool, str]]:
    *folders, name = key.split("/")
    return [(True, folder) for folder in folders] + [(False, name)]


@dataclass(frozen=True)
class Below:
    """What lies below a URL. stamps: of each object, by key. folders: keys, with "" where anything is."""

    stamps: Mapping[str, str]
    folders: frozenset[str]


class Store:
    """What is below one URL, read by any number of threads. To another process the URL alone is sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = Lock()
        self._opened: tuple[Any, str] | None = None
        self._below: Below | None = None

    def __reduce__(self) -> tuple[type[Store], tuple[str]]:
        return Store, (self.url,)

    def open(self) -> tuple[Any, str]:
        """The file system of fsspec, and what it calls the folder at the URL. Raises GenreidError."""
        with self._lock:
            if self._opened is None:
                self._opened = _open(self.url)
            return self._opened

    def listing(self) -> Below:
        """What is there, as it was when this was first asked.

        Raises GenreidError where the store refuses it or has no such bucket, and OSError where it does not
        answer.
        """
        system, root = self.open()
        with self._lock:
            if self._below is None:
                self._below = _list(system, root, self.url)
            return self._below

    def read(self, key: str) -> bytes:
        system, root = self.open()
        try:
            return bytes(system.cat_file(f"{root.rstrip('/')}/{key}"))
        except Exception as error:  # each store has a library with errors of its own
            told = _told(error, f"{self.url}/{key}")
            if isinstance(told, GenreidError) and not self._is_there(system, root):
                raise OSError(errno.ENODEV, "is gone, or empty", self.url) from None
            raise told from None

    def _is_there(self, system: Any, root: str) -> bool:
        try:
            return bool(system.exists(root))
        except Exception as error:
            raise _told(error, self.url) from None


def _open(url: str) -> tuple[Any, str]:
    protocol = url.partition("://")[0]
    if "::" in url:
        raise GenreidError(f"{url}: a folder within an archive: unpack it, and name the folder")
    try:
        from fsspec.core import url_to_fs

        system, root = url_to_fs(url, **_options(protocol))
    except ImportError as error:
        extra = ': pip install "genreid[s3]"' if protocol in _S3 else ""
        raise GenreidError(
            f"{url}: the package for {protocol}:// is not installed ({_words(error)}){extra}"
        ) from None
    except Exception as error:  # of a protocol that nobody knows, or settings that a library refuses
        raise GenreidError(
            f"{url}: {_words(error)}: write s3://BUCKET/FOLDER, or another URL that fsspec knows"
        ) from None
    return system, str(root)


def _options(protocol: str) -> dict[str, Any]:
    """For the file system: no memory of its own of what is there, and a connection for each thread.

    s3fs would ask for the size of an object first to read a large one in parts, and so twice for each image.
    """
    if protocol not in _S3:
        return {"use_listings_cache": False}
    from fsspec.config import conf

    connections = {"max_pool_connections": READS_AT_ONCE}
    given = dict(conf.get("s3", {})).get("config_kwargs", {})
    return {"use_listings_cache": False, "max_concurrency": 1, "config_kwargs": connections | given}


def _list(system: Any, root: str, url: str) -> Below:
    try:
        found = system.find(root, detail=True)
    except Exception as error:
        told = _told(error, url)
        if isinstance(told, PermissionError):
            raise GenreidError(
                f"{url}: {told.strerror}: give this machine credentials that may list and read it (for S3 "
                "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; FSSPEC_S3_ANON=true where all "
                "may)"
            ) from None
        if isinstance(told, GenreidError):
            raise GenreidError(f"{told}: look at the bucket's name, and at AWS_ENDPOINT_URL") from None
        raise told from None
    inside = root.rstrip("/") + "/"
    stamps = {
        name[len(inside) :]: _stamp(facts)
        for name, facts in found.items()
        if name.startswith(inside) and not name.endswith("/")  # an empty object that stands for a folder
    }
    folders = {""} if stamps else set()
    for key in stamps:
        above = key.rpartition("/")[0]
        while above not in folders:
            folders.add(above)
            above = above.rpartition("/")[0]
    return Below(stamps, frozenset(folders))


def _stamp(facts: Mapping[str, Any]) -> str:
    known = next((facts[name] for name in _STAMPS if facts.get(name) is not None), "")
    return f"{facts.get('size')} {known}"


def _told(error: Exception, url: str) -> Exception:
    """GenreidError where there is no such object or bucket, an OSError with the URL for what says nothing of
    it (rights, network), and the error as it is where it is a fault of the program."""
    kind = type(error).__name__
    if isinstance(error, MemoryError) or (
        type(error).__module__ == "builtins" and not isinstance(error, OSError | ValueError)
    ):
        return error
    if isinstance(error, PermissionError) or "Credential" in kind or "Profile" in kind or "Token" in kind:
        return PermissionError(errno.EACCES, f"the store refuses it ({_words(error)})", url)
    if (
        "Validation" in kind
        or isinstance(error, FileNotFoundError | ValueError)
        or (isinstance(error, OSError) and error.errno is not None and not is_of_machine(error))
    ):
        return GenreidError(f"{url}: {_words(error)}")
    number = getattr(error, "errno", None) or errno.ENETDOWN
    return OSError(number, f"the store does not answer ({_words(error)})", url)


def _words(error: Exception) -> str:
    """What an error says, in one line, without the URL that is told anyway."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:_MOST_WORDS].rstrip(".")
