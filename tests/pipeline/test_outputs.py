"""What a run may replace: only what it made, where nothing else is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.artifacts import atomic_directory, write_bytes, write_table, write_torch
from pipeline.errors import PipelineError
from pipeline.outputs import Output, holds, refusals, require
from pipeline.places import Place, Spot, places_of_project, relation

FORMAT = b"genreid.mesh"


def folder_output(path: Path) -> Output:
    return Output("params.yaml:9: paths.mesh", path.name, path, True, holds(FORMAT))


def file_output(path: Path, mark: bytes = FORMAT) -> Output:
    return Output("", path.name, path, False, holds(mark), "`genreid embed`")


def refused(*outputs: Output, places: tuple[Place, ...] = (), root: Path | None = None) -> list[str]:
    return list(refusals(outputs, places, root=root))


@pytest.mark.parametrize("state", ["missing", "empty", "folders", "ours", "looked at", "parts"])
def test_a_folder_that_is_empty_or_ours_may_be_replaced(tmp_path: Path, state: str) -> None:
    folder = tmp_path / "mesh"
    if state in ("empty", "folders"):
        (folder / "below" if state == "folders" else folder).mkdir(parents=True)
    elif state in ("ours", "looked at"):
        with atomic_directory(folder) as temporary:
            write_bytes(temporary / "below" / "a.png", b"1")
        if state == "looked at":
            (folder / ".DS_Store").write_bytes(b"x")
    elif state == "parts":
        write_table(folder / "part-00000.parquet", table())
    assert refused(folder_output(folder)) == []


def table() -> pa.Table:
    return pa.table({"a": [1]}).replace_schema_metadata({FORMAT: b"1"})


@pytest.mark.parametrize("is_marked", [False, True])
def test_a_file_of_somebody_else_is_named(tmp_path: Path, is_marked: bool) -> None:
    folder = tmp_path / "mesh"
    if is_marked:
        with atomic_directory(folder) as temporary:
            write_bytes(temporary / "a.png", b"1")
    write_bytes(folder / "mine" / "notes.txt", b"genreid.mesh is mentioned here")
    expected = (
        "params.yaml:9: paths.mesh: mesh holds what a run did not make (mine/notes.txt); move it away, or "
        "name another place"
    )
    assert refused(folder_output(folder)) == [expected]
    write_bytes(folder / "z", b"1")
    assert "(mine/notes.txt and 1 more)" in refused(folder_output(folder))[0]


def test_links_and_pipes_in_a_folder_are_somebody_elses(tmp_path: Path) -> None:
    for name in ("link", "pipe"):
        (tmp_path / name / "mesh").mkdir(parents=True)
    (tmp_path / "link" / "mesh" / "in").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "pipe" / "mesh" / "in")
    for name in ("link", "pipe"):
        assert "did not make (in)" in refused(folder_output(tmp_path / name / "mesh"))[0]


def test_a_file_tells_by_its_content_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert refused(file_output(path)) == []
    path.touch()
    assert refused(file_output(path)) == []
    write_table(path, table())
    assert refused(file_output(path)) == []
    write_torch(path, {"format": "genreid.joint", "weights": {"w": torch.zeros(10**6)}})
    assert refused(file_output(path, b"genreid.joint")) == []
    expected = "a is there, and `genreid embed` did not make it; move it away, or name another place"
    assert refused(file_output(path)) == [expected]
    path.write_text("genreid.mesh")
    assert refused(file_output(path)) == [expected]


def test_a_file_where_a_folder_is_wanted_and_the_other_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "is no folder, and a run writes a folder there" in refused(folder_output(tmp_path / "file"))[0]
    assert (
        "is a folder, and `genreid embed` writes a file there" in refused(file_output(tmp_path / "folder"))[0]
    )
    assert "is a link to what is not there" in refused(folder_output(tmp_path / "link"))[0]
    assert "is below file, which is no folder" in refused(folder_output(tmp_path / "file" / "mesh"))[0]


@pytest.mark.parametrize(
    ("output", "place", "expected"),
    [
        ("a", "a", "is"),
        ("a/../a", "a", "is"),
        ("a", "a/b/c", "contains"),
        ("a/b/c", "a", "lies inside"),
        ("ab", "a", ""),
        ("A", "a", "is"),
        ("Stra\u00dfe/b", "STRASSE", "lies inside"),
        ("e\u0301", "\u00e9", "is"),
        ("link", "real", "is"),
        ("link/b", "real", "lies inside"),
        ("real", "link/b", "contains"),
        (".", "a", "contains"),
        ("real/..", "a", "contains"),
        ("gone/b", "lost", "lies inside"),
        ("lost/b", "gone", "lies inside"),
    ],
)
def test_places_by_name_case_and_link(tmp_path: Path, output: str, place: str, expected: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "lost").symlink_to(tmp_path / "gone")  # as to a disk that is not connected now
    assert relation(Spot.of(tmp_path / output, True), Spot.of(tmp_path / place)) == expected
    what = Place("the data set", tmp_path / place)
    lines = refused(folder_output(tmp_path / output), places=(what,))
    assert bool(lines) == bool(expected)
    if expected:
        assert f" {expected} the data set: an output needs a place of its own; name another place" in lines[0]


def test_a_disk_without_case_tells_by_the_folder_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two names that nothing but the disk knows for one, as of a mounted folder."""
    for name in ("crops", "mounted"):
        (tmp_path / name).mkdir()
    stat = os.stat
    monkeypatch.setattr(
        os, "stat", lambda path, **options: stat(str(path).replace("mounted", "crops"), **options)
    )
    assert relation(Spot.of(tmp_path / "mounted" / "mesh"), Spot.of(tmp_path / "crops")) == "lies inside"
    assert relation(Spot.of(tmp_path / "mounted"), Spot.of(tmp_path / "crops" / "a")) == "contains"


def test_a_link_to_a_file_is_replaced_itself(tmp_path: Path) -> None:
    """As those are with which DVC may fill the project from its cache."""
    write_table(tmp_path / ".dvc" / "cache" / "ab", table())
    (tmp_path / "a").symlink_to(tmp_path / ".dvc" / "cache" / "ab")
    assert refused(file_output(tmp_path / "a"), places=(Place(".dvc", tmp_path / ".dvc"),)) == []


def test_an_output_has_its_place_alone(tmp_path: Path) -> None:
    outputs = [folder_output(tmp_path / name) for name in ("data/mesh", "data/views", "DATA/mesh", "data")]
    lines = refused(*outputs)
    assert len(lines) == 2
    assert " is the output params.yaml:9: paths.mesh: " in lines[0] and " contains the output " in lines[1]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("project", "is the project's folder"),
        ("", "contains the project's folder"),
        ("home", "is a home folder"),
        ("project/.git/x", "lies inside .git"),
        ("project/.dvc/cache/x", "lies inside .dvc"),
        ("project/dvc.lock", "is dvc.lock"),
        ("project/tests/data", "lies inside code (tests)"),
        ("project/.genreid/state", "lies inside the state of runs (.genreid)"),
        ("home/.cache/torch/hub", "lies inside a cache of fetched models"),
        ("home/.cache", "contains a cache of fetched models"),
        ("kept/models", "is a cache of fetched models"),
        ("kept", "contains a cache of fetched models"),
        (str(Path(__file__).parents[2] / "genreid" / "mesh"), "lies inside code (genreid)"),
        ("home/out", ""),
        ("project/data/mesh", ""),
    ],
)
def test_places_that_are_no_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, what: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CACHE_HOME", "TORCH_HOME", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GENREID_MODELS", str(tmp_path / "kept" / "models"))
    (tmp_path / "project" / ".git").mkdir(parents=True)
    lines = refused(folder_output(tmp_path / path), places=tuple(places_of_project(tmp_path / "project")))
    assert what in lines[0] if what else lines == []


def test_outs_of_earlier_versions_are_known_by_dvc_lock(tmp_path: Path) -> None:
    """DVC itself writes the lock; the folder's list of files comes from its cache, or its hash will do."""
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  make:\n"
        "    cmd: mkdir -p mesh/b && echo 1 >mesh/a && echo 2 >mesh/b/\u00e9 && echo 3 >file\n"
        "    outs: [mesh, file]\n"
    )
    for command in (["init", "-q", "--no-scm"], ["repro", "-q"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=tmp_path, check=True)
    folder, file = folder_output(tmp_path / "mesh"), file_output(tmp_path / "file")
    assert refused(folder, file, root=tmp_path) == []
    assert len(refused(folder, file)) == 2
    (tmp_path / "mesh" / "a").unlink()  # killed while it was removed
    assert refused(folder, root=tmp_path) == []
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    assert "(a and" not in refused(folder, root=tmp_path)[0]
    (tmp_path / "mesh" / "a").write_text("1\n")
    assert refused(folder, root=tmp_path) == []
    (tmp_path / "mesh" / "a").write_text("another\n")
    (tmp_path / "file").unlink()
    (tmp_path / "file").write_text("another\n")
    assert len(refused(folder, file, root=tmp_path)) == 2


@pytest.mark.parametrize("link", ["copy", "symlink"])
def test_what_dvc_puts_back_is_still_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str) -> None:
    """By its mark alone, after `dvc pull` into a project without it; `dvc exp apply` does the same."""
    from dvc.repo import Repo

    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    folder, file = folder_output(project / "mesh"), file_output(project / "file")
    with atomic_directory(folder.path) as temporary:
        write_bytes(temporary / "below" / "\u00e9.png", b"1")
    write_table(file.path, table())
    with Repo.init(no_scm=True) as repo:
        (project / ".dvc" / "config.local").write_text(
            f"[core]\n  remote = elsewhere\n[cache]\n  type = {link}\n"
            f"['remote \"elsewhere\"']\n  url = {tmp_path / 'elsewhere'}\n"
        )
    with Repo() as repo:
        repo.add(["mesh", "file"])
        repo.push()
    shutil.rmtree(folder.path)
    file.path.unlink()
    shutil.rmtree(project / ".dvc" / "cache")
    with Repo() as repo:
        repo.pull()
    assert file.path.is_symlink() == (link == "symlink")
    assert (folder.path / "below" / "\u00e9.png").read_bytes() == b"1"
    assert refused(folder, file, places=tuple(places_of_project(project))) == []
    (folder.path / "mine").write_text("mine")
    assert "did not make (mine)" in refused(folder)[0]


NAMES = ("data", "Data", "mesh", "views", "crops", "a.bin", "..", "link", "genreid")
PATHS = st.lists(st.sampled_from(NAMES), min_size=0, max_size=3).map("/".join)
KINDS = st.sampled_from(["foreign", "marked", "part", "link"])


def contents(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below, by what is in it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path), hashlib.md5(path.read_bytes()).hexdigest()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tree=st.lists(st.tuples(KINDS, PATHS), max_size=6),
    dataset=PATHS,
    outputs=st.lists(st.tuples(PATHS, st.booleans()), min_size=1, max_size=3),
)
def test_whatever_is_not_refused_loses_nobodys_file(
    tmp_path_factory: pytest.TempPathFactory,
    tree: list[tuple[str, str]],
    dataset: str,
    outputs: list[tuple[str, bool]],
) -> None:
    """DVC's way (all outs are removed) and the stages' way, in every tree and for all paths."""
    base = tmp_path_factory.mktemp("base")
    root = base / "above" / "project"
    root.mkdir(parents=True)
    foreign: set[str] = set()
    for kind, name in tree:
        path = (root / name).resolve()
        if kind == "link" and path == root.resolve() / "crops":
            continue  # a link to itself leads nowhere
        if path.exists() or not path.is_relative_to(base) or any(p.is_file() for p in path.parents):
            continue
        if kind == "marked":
            with atomic_directory(path) as temporary:
                write_bytes(temporary / "made", b"by a run")
        elif kind == "part":
            write_table(path, table())
        elif kind == "link":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(root / "crops")
        else:
            write_bytes(path, b"mine")
            foreign.add(str(path))
    write_bytes(root / "dvc.yaml", b"stages:")
    if (root / dataset).is_dir():
        write_bytes(root / dataset / "crop.jpg", b"mine")
    before = {path: digest for path, digest in contents(base) if Path(path).read_bytes() == b"mine"}
    places = [Place("the data set", root / dataset), *places_of_project(root)]
    made = [
        folder_output(root / name) if is_folder else file_output(root / name) for name, is_folder in outputs
    ]
    try:
        require(made, places, root=root)
    except PipelineError as error:
        assert "\n" not in str(error)
        assert dict(contents(base)).items() >= before.items()
        return
    for output in made:
        if output.path.is_dir() and not output.path.is_symlink():
            shutil.rmtree(output.path)
        else:
            output.path.unlink(missing_ok=True)
    for output in made:
        with suppress(OSError):  # a name such as `data/..`, where there is no data, is no place to write to
            if output.is_folder:
                with atomic_directory(output.path) as temporary:
                    write_bytes(temporary / "made", b"by a run")
            else:
                write_table(output.path, table())
    assert dict(contents(base)).items() >= before.items()
    assert (root / "dvc.yaml").read_bytes() == b"stages:"
