"""`embed`, `search`, `group` and `gallery` on a LanceDB database, on tiny networks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.stages.small_project import SmallProject
from tests.stages.using.test_matching import groups
from tests.stages.using.trained_project import trained

__all__ = ["trained"]

PATTERNS = ("--camera-pattern", "^000(?P<camera>[1-4])", "--time-pattern", "(?P<time>^2[0-9]{7})")


def has_lance() -> bool:
    from importlib.util import find_spec

    return find_spec("lancedb") is not None


needs_lance = pytest.mark.skipif(not has_lance(), reason="lancedb (the extra `lance`) is not installed")


def listed(out: str) -> list[str]:
    """The last column of what `search` prints."""
    return [line.split("│")[-2].strip() for line in out.splitlines() if line.startswith("│")]


def rows_of(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("│")]


def test_without_lancedb_the_error_names_the_extra(
    trained: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lancedb", None)  # as where it is not installed
    for arguments in (("embed", "crops", "--to", "lance:db"), ("search", "crops/0001.png", "-g", "lance:db")):
        outcome = trained.run(*arguments)
        assert outcome.code == 2 and outcome.err.count("\n") == 1
        assert "lance:db needs the package lancedb" in outcome.err
        assert "install the extra `lance`: `pip install 'genreid[lance]'`" in outcome.err
    assert not Path("db").exists()


@needs_lance
def test_a_database_is_filled_searched_grouped_and_emptied(trained: SmallProject) -> None:
    for day, number in (("20240131", 1), ("20240201", 2)):
        image = trained.folder / "crops" / f"{number:04d}.png"
        image.rename(image.with_name(f"{day}_{number}.png"))
    arguments = ("embed", "crops", *PATTERNS)
    assert trained.run(*arguments, "--to", "lance:db").code == 0
    again = trained.run(*arguments, "--to", "lance:db")
    assert again.code == 0, again.err
    facts = "".join(again.out.split())
    assert "│added│0│" in facts and "│updated│5│" in facts and "│searches│exact│" in facts

    assert trained.run("embed", "crops", "--time-pattern", PATTERNS[3]).code == 0
    query = ("search", "crops/0004.png")
    assert rows_of(trained.run(*query, "-g", "lance:db").out) == rows_of(trained.run(*query).out)
    for place in ("lance:db", "embeddings.parquet"):
        chosen = trained.run(*query, "-g", place, "--after", "2024-01-31", "--before", "2024-02-01")
        assert (
            listed(chosen.out) == ["20240131_1.png"]
            and "in 1 images (after 2024-01-31 00:00:00, before" in chosen.out
        )
    one = trained.run(*query, "-g", "lance:db", "--camera", "4")
    assert listed(one.out) == ["0004.png"]
    nobody = trained.run(*query, "-g", "lance:db", "--camera", "9")
    assert nobody.code == 2 and "lance:db has no readable image with camera 9" in nobody.err
    other = trained.run("embed", "crops", "--to", "lance:db", "--checkpoint", "encoder")
    assert other.code == 2 and "lance:db was embedded by other weights" in other.err
    assert other.err.count("\n") == 1

    assert trained.run("group", "lance:db", "--least-similarity", "-1").code == 0
    assert len(groups()) == 5
    shown = trained.run("gallery", "show", "lance:db")
    assert "2024-01-31 00:00:00 to 2024-02-01 00:00:00" in shown.out and "1 (4)" in shown.out, shown.out
    which = ("gallery", "delete", "lance:db", "--path", "2024*", "--after", "2024-02-01")
    tried = trained.run(*which, "--dry-run")
    assert tried.out.startswith(
        "1 images would be deleted (path 2024*, after 2024-02-01 00:00:00); 4 readable"
    )
    assert trained.run(*which).out.startswith("1 images deleted")
    assert sorted(listed(trained.run(*query, "-g", "lance:db").out)) == [
        "0004.png",
        "0005.png",
        "20240131_1.png",
    ]
    all_of_it = trained.run("gallery", "delete", "lance:db")
    assert all_of_it.code == 2 and "delete which images of lance:db?" in all_of_it.err


@needs_lance
def test_what_is_no_place_for_a_database_is_refused(trained: SmallProject) -> None:
    for place, message in (
        ("lance:params.yaml", "params.yaml is no folder; name another database"),
        ("lance:data/mesh", "lance:data/mesh is the output"),
    ):
        outcome = trained.run("embed", "crops", "--to", place)
        assert outcome.code == 2 and message in outcome.err and outcome.err.count("\n") == 1, outcome.err
    missing = trained.run("search", "crops/0004.png", "-g", "lance:nothing")
    assert (
        missing.code == 2 and "lance:nothing: no gallery is there; make it by `genreid embed" in missing.err
    )
    assert not Path("nothing").exists()
