"""What becomes of a gallery in LanceDB when a writer is killed, and when there are two: real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from genreid.deployment.gallery_table import gallery_schema
from genreid.deployment.lance_gallery import open_lance, put
from genreid.deployment.where import Where
from tests.genreid.deployment.lance_writer import BOTH, info, opened, table, written_by

pytest.importorskip("lancedb", reason="lancedb (the extra `lance`) is not installed")


def paths_in(folder: Path) -> list[str]:
    found: list[str] = opened(folder).to_table()["path"].to_pylist()
    return found


def started(folder: Path, name: str, *signs: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.genreid.deployment.lance_writer", str(folder), name]
    return subprocess.Popen([*command, *map(str, signs)])


def wait_for(sign: Path, process: subprocess.Popen[bytes]) -> None:
    begin = time.monotonic()
    while not sign.exists():
        assert process.poll() is None, f"it ended by itself ({process.returncode})"
        assert time.monotonic() - begin < 300
        time.sleep(0.02)


@pytest.mark.parametrize("before", [[], ["1.png", BOTH]], ids=["first", "append"])
def test_killed_in_the_middle_of_a_commit_all_is_as_before(tmp_path: Path, before: list[str]) -> None:
    folder, reached = tmp_path / "db", tmp_path / "reached"
    if before:
        put(folder, iter([table(before)]))
        rows = opened(folder).to_table()
    process = started(folder, "a", tmp_path / "kept", reached, tmp_path / "never")
    wait_for(reached, process)
    process.kill()
    assert process.wait() == -9
    assert {path.name for path in folder.iterdir()} == {".genreid.lock", "embeddings.lance"}
    if before:
        assert opened(folder).to_table().equals(rows)
    else:
        assert open_lance(folder) is None
    assert put(folder, iter([table(written_by("a"))])).added == len(written_by("a")) - len(
        {BOTH} & set(before)
    )
    assert paths_in(folder) == sorted({*before, *written_by("a")})


@pytest.mark.parametrize("before", [[], ["1.png"]], ids=["first", "append"])
def test_two_writers_at_once_lose_nothing(tmp_path: Path, before: list[str]) -> None:
    """The second would commit while the first is in the middle of its own: both of them make the table, or
    both add to it, and both bring an image of one name. Without the lock the second would be through before
    the first goes on, and of two tables one would be lost, of one image there would be two.
    """
    folder, reached, go = tmp_path / "db", tmp_path / "reached", tmp_path / "go"
    if before:
        put(folder, iter([table(before)]))
    first = started(folder, "a", tmp_path / "kept", reached, go)
    wait_for(reached, first)
    second = started(folder, "b", tmp_path / "other")
    wait_for(tmp_path / "other", second)
    with suppress(subprocess.TimeoutExpired):
        second.wait(2)
    go.touch()
    assert first.wait(300) == 0 and second.wait(300) == 0
    assert paths_in(folder) == sorted({*before, *written_by("a"), *written_by("b")}), "each once"
    detail = opened(folder).to_table(Where(paths=(BOTH,)))["detail"].to_pylist()
    assert detail == ["b"], "who commits last has the last word"
    assert opened(folder).to_table().schema.equals(gallery_schema(info()), check_metadata=True)
