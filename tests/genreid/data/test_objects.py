"""A folder in an object store is listed and read as the same folder on a disk, many images at once."""

from __future__ import annotations

import errno
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from genreid.data import objects
from genreid.data.datasets.folder import FolderSettings, folder_layout
from genreid.data.datasets.layout import files_below
from genreid.data.datasets.registry import PUBLISHED
from genreid.data.files import opened, read_file
from genreid.data.images import ImageSet, read_image
from genreid.data.inspection import inspect_image, inspect_images
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.data.objects import READS_AT_ONCE, ObjectPath, is_url
from genreid.errors import GenreidError
from tests.genreid.data.datasets.test_layouts import MARKET, MSMT_LISTS
from tests.genreid.data.datasets.trees import picture, write_images
from tests.object_store import Bucket, SlowStore, bucket, s3_address, slow_store

__all__ = ["bucket", "s3_address", "slow_store"]

ODD_NAMES = ["b.png", "a/1.png", "a/b/2.png", "a.b/3.png", "a b+%c?#ü.png", "Z.png", "a/z.txt", "c/d/e/f.png"]
OTHERS = [
    "bounding_box_train/0001_c2_f0046182.jpg",
    "query/0005_c1_f0000001.jpg",
    "bounding_box_test/0005_c3_f0000002.jpg",
]


def url_of(folder: Path, store: type[SlowStore]) -> ObjectPath:
    return ObjectPath.of(store.upload(folder, "set"))


def test_a_url_is_told_from_a_path() -> None:
    assert is_url("s3://bucket/folder") and is_url("gs://bucket")
    assert not any(map(is_url, ("data/images", "/data", "~/crops", "C:/crops", "a:b")))


def test_s3_lists_what_a_disk_lists_in_its_order(tmp_path: Path, bucket: Bucket) -> None:
    write_images(tmp_path, [name for name in ODD_NAMES if name.endswith("png")])
    (tmp_path / "a" / "z.txt").write_text("stray")
    folder = ObjectPath.of(bucket.upload(tmp_path, "some/crops") + "/")
    bucket.put("some/crops2/other.png", b"a neighbour whose name begins alike")
    bucket.put("some/crops/empty/", b"")
    assert list(files_below(folder)) == list(files_below(tmp_path)) and len(ODD_NAMES) == 8
    assert (
        list(files_below(folder / "a")) == list(files_below(tmp_path / "a")) == ["1.png", "z.txt", "b/2.png"]
    )
    assert [entry.name for entry in folder.iterdir()] == sorted(path.name for path in tmp_path.iterdir())
    for name in [*ODD_NAMES, "a", "a/b", "c/d", "c/d/e", "empty", "none", "a/1", "crops2"]:
        there, here = folder / name, tmp_path / name
        assert (there.is_file(), there.is_dir(), there.exists()) == (
            here.is_file(),
            here.is_dir(),
            here.exists(),
        ), name
        if here.is_file():
            assert read_file(there) == here.read_bytes()
    assert str(folder / "a" / "1.png") == f"{bucket.url}/some/crops/a/1.png"


@pytest.mark.parametrize("nested", ["", "Market-1501-v15.09.15"])
def test_every_published_layout_finds_the_same(
    tmp_path: Path, slow_store: type[SlowStore], nested: str
) -> None:
    sets = {
        "market1501": list(MARKET),
        "dukemtmc": OTHERS,
        "cuhk03_labelled": [f"labeled/{name.replace('_f', '_')}" for name in OTHERS],
        "cuhk03_detected": [f"detected/{name.replace('_f', '_')}" for name in OTHERS],
        "ltcc": ["train/094_1_c9_015923.png", "query/001_1_c3_000100.png", "test/001_2_c3_000200.png"],
        "msmt17": [
            f"{'train' if name in ('list_train.txt', 'list_val.txt') else 'test'}/{line.split()[0]}"
            for name, text in MSMT_LISTS.items()
            for line in text.splitlines()
            if line
        ],
    }
    assert sets.keys() == PUBLISHED.keys()
    for name, paths in sets.items():
        home = tmp_path / name
        write_images(home / nested, paths)
        (home / nested / paths[0]).with_name("Thumbs.db").write_bytes(b"stray")
        if name == "msmt17":
            for file, text in MSMT_LISTS.items():
                (home / nested / file).write_text(text)
        there = PUBLISHED[name].find(ObjectPath.of(slow_store.upload(home, name)))
        here = PUBLISHED[name].find(home)
        assert there.images == here.images and len(there.images) == len(set(paths))
        assert there.skipped == here.skipped
        assert str(there.root) == f"slow://{here.root.relative_to(tmp_path)}"


def test_patterns_fit_whole_paths_below_the_url(tmp_path: Path, slow_store: type[SlowStore]) -> None:
    write_images(tmp_path, ["cam 2/0.png", "cam 1/1.png", "loose.png"])
    layout = folder_layout(FolderSettings(r"cam (?P<camera>\d)/.*", None, None))
    there, here = layout.find(url_of(tmp_path, slow_store)), layout.find(tmp_path)
    assert there.images == here.images and there.skipped == here.skipped and len(here.images) == 2
    with pytest.raises(GenreidError, match="slow://set: no image fits 'none'"):
        folder_layout(FolderSettings("none", None, None)).find(url_of(tmp_path, slow_store))


def images_of(root: Path | ObjectPath, names: list[str]) -> ImageSet:
    row = {"split": "train", "camera_id": -1, "status": "ok"}
    rows = [{**row, "image_id": name, "path": name} for name in names]
    return ImageSet(
        root, Manifest.from_rows(rows, ManifestInfo("tiny", str(root), 4, 2, "open")), num_threads=1
    )


def test_pictures_and_facts_are_those_of_the_disk(tmp_path: Path, bucket: Bucket) -> None:
    names = [f"{number}.png" for number in range(9)]
    write_images(tmp_path, names)
    (tmp_path / "4.png").write_bytes(b"no picture")
    (tmp_path / "5.png").write_bytes((tmp_path / "5.png").read_bytes()[:99])
    folder = ObjectPath.of(bucket.upload(tmp_path, "crops"))
    there, here = inspect_images(folder, names), inspect_images(tmp_path, names)
    assert there == here == [inspect_image(tmp_path / name) for name in names]
    assert [facts.status for facts in there].count("unreadable") == 2
    readable = [name for name in names if name not in ("4.png", "5.png")]
    far, near = images_of(folder, readable), images_of(tmp_path, readable)
    index = np.array([3, 0, 3, 6])
    assert np.array_equal(far.load(index), near.load(index))
    for one, two in zip(far.load_natives(), near.load_natives(), strict=True):
        assert np.array_equal(one, two)
    assert np.array_equal(read_image(folder / "0.png"), picture(0)[..., ::-1])


def test_an_object_is_one_request(tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    write_images(tmp_path, ["a.png"])
    folder = ObjectPath.of(bucket.upload(tmp_path, "crops"))
    asked: list[str] = []
    call = s3fs.S3FileSystem._call_s3

    async def counted(self, method, *arguments, **options):  # type: ignore[no-untyped-def]
        asked.append(method)
        return await call(self, method, *arguments, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counted)
    read_file(folder / "a.png")
    assert asked == ["get_object"]


def test_a_changed_object_has_another_stamp(bucket: Bucket) -> None:
    stamps = []
    for content in (b"one", b"two", b"one"):
        bucket.put("crops/a.png", content)
        stamps.append((ObjectPath.of(f"{bucket.url}/crops") / "a.png").stamp())
    assert stamps[0] == stamps[2] != stamps[1] and stamps[0].startswith("3 ")
    assert (ObjectPath.of(f"{bucket.url}/crops") / "b.png").stamp() == "-"


def test_reads_overlap_and_are_bounded(tmp_path: Path, slow_store: type[SlowStore]) -> None:
    names = [f"{number:03}.png" for number in range(3 * READS_AT_ONCE)]
    write_images(tmp_path, names)
    folder = url_of(tmp_path, slow_store)
    slow_store.seconds = 0.02
    inspect_images(folder, names)
    assert READS_AT_ONCE // 2 < slow_store.most_at_once <= READS_AT_ONCE
    images_of(folder, names).load(np.arange(len(names)))
    assert slow_store.most_at_once <= READS_AT_ONCE and len(slow_store.reads) == 2 * len(names)


def test_a_disk_is_read_one_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "reading_threads", lambda: pytest.fail("no threads are wanted"))
    write_images(tmp_path, ["a.png", "b.png"])
    assert len(inspect_images(tmp_path, ["a.png", "b.png"])) == 2


def test_another_process_gets_the_url_alone(tmp_path: Path, slow_store: type[SlowStore]) -> None:
    write_images(tmp_path, [f"{number}.png" for number in range(200)])
    folder = url_of(tmp_path, slow_store)
    assert folder.is_dir()
    packed = pickle.dumps(folder / "7.png")
    assert len(packed) < 200
    assert read_file(pickle.loads(packed)) == (tmp_path / "7.png").read_bytes()


def test_what_is_wrong_with_an_object_is_a_fact_about_it(tmp_path: Path, bucket: Bucket) -> None:
    bucket.put("crops/a.png", b"here")
    gone = ObjectPath.of(f"{bucket.url}/crops") / "gone.png"
    with pytest.raises(GenreidError, match=f"{bucket.url}/crops/gone.png: The specified key does not exist"):
        read_file(gone)
    assert inspect_image(gone).detail == "The specified key does not exist"


def test_a_folder_that_is_gone_is_no_fact_about_its_images(bucket: Bucket) -> None:
    bucket.put("crops/a.png", b"here")
    folder = ObjectPath.of(f"{bucket.url}/crops")
    assert folder.is_dir()
    bucket.delete("crops/a.png")
    with pytest.raises(OSError, match="is gone, or empty") as told:
        inspect_image(folder / "a.png")
    assert (told.value.errno, told.value.filename) == (errno.ENODEV, f"{bucket.url}/crops")


@pytest.mark.parametrize(
    "url, message",
    [
        ("s3://no-such-bucket/crops", "The specified bucket does not exist: look at the bucket's name"),
        ("s3://Bad_Bucket!/crops", "Invalid bucket name"),
        ("nope://crops", "Protocol not known: nope: write s3://BUCKET/FOLDER"),
        ("s3://", "Cannot traverse all of S3"),
        ("zip://crops::s3://bucket/crops.zip", "a folder within an archive: unpack it"),
    ],
)
def test_a_url_that_leads_nowhere(bucket: Bucket, url: str, message: str) -> None:
    with pytest.raises(GenreidError) as told:
        ObjectPath.of(url).is_dir()
    assert message in str(told.value) and str(told.value).startswith(url) and "\n" not in str(told.value)


def test_no_credentials(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    bucket.put("crops/a.png", b"here")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3fs.S3FileSystem.clear_instance_cache()
    folder = ObjectPath.of(f"{bucket.url}/crops")
    with pytest.raises(GenreidError, match=r"Unable to locate credentials.*AWS_PROFILE"):
        folder.is_dir()
    with pytest.raises(PermissionError, match="Unable to locate credentials"):
        inspect_image(folder / "a.png")
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.registry import _registry

    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)
    with pytest.raises(GenreidError, match=r's3:// is not installed .*pip install "genreid\[s3\]"'):
        ObjectPath.of("s3://bucket/crops")
    with pytest.raises(GenreidError, match="is not installed"):
        opened(pickle.loads(pickle.dumps(ObjectPath(objects.Store("s3://bucket/crops")))))


@pytest.mark.parametrize(
    "error, kind, number",
    [
        (ConnectionResetError(errno.ECONNRESET, "reset"), ConnectionResetError, errno.ECONNRESET),
        (TimeoutError(), OSError, errno.ENETDOWN),
        (PermissionError("AccessDenied"), PermissionError, errno.EACCES),
        (type("EndpointConnectionError", (Exception,), {})("could\nnot connect"), OSError, errno.ENETDOWN),
        (MemoryError(), MemoryError, None),
        (KeyError("of the program"), KeyError, None),
    ],
)
def test_the_network_is_not_blamed_on_an_image(
    tmp_path: Path, slow_store: type[SlowStore], error: Exception, kind: type[Exception], number: int | None
) -> None:
    write_images(tmp_path, ["a.png"])
    folder = url_of(tmp_path, slow_store)

    def fail(path: str) -> None:
        raise error

    slow_store.before = staticmethod(fail)  # type: ignore[assignment]
    with pytest.raises(kind) as told:
        inspect_images(folder, ["a.png"])
    assert getattr(told.value, "errno", None) == number
    if number is not None:
        assert isinstance(told.value, OSError)
        assert told.value.filename == "slow://set/a.png" and "\n" not in told.value.strerror
