"""`genreid group` by workers writes the bytes that it writes without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreid.clustering.settings import PseudoLabelSettings
from genreid.clustering.sharded import by_workers
from genreid.deployment.groups import Likeness, group
from pipeline.errors import PipelineError
from stages.shared.options import Engine
from stages.shared.run import Options, Project
from stages.shared.workers import Here, process_pool
from stages.using import likeness
from tests.genreid.clustering.naive import person_features
from tests.stages.ray_nodes import ray_nodes
from tests.stages.small_project import SmallProject
from tests.stages.using.test_matching import with_matches
from tests.stages.using.trained_project import trained

__all__ = ["trained"]

SETTINGS = PseudoLabelSettings(k1=30, k2=6, eps=0.5, min_samples=4, method="exact")
LEAST = 0.3
WRITTEN = ("groups.parquet", "group_questions.csv", "groups.png")


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three threads of this process in the place of a cluster."""

    @contextmanager
    def workers(run: Project, start: Any, **_: Any) -> Iterator[Here]:
        assert run.options.on == Engine.ray and run.options.device == "cpu"
        start()
        yield Here(3)

    monkeypatch.setattr(likeness, "open_workers", workers)


def project() -> Project:
    return Project.open(Options(on=Engine.ray, progress=False))


def as_on_one_machine(found: Likeness, rows: np.ndarray) -> None:
    expected = Likeness.of(rows, SETTINGS)
    kept = expected.cosine >= LEAST
    assert 0 < kept.sum() < len(kept)
    for name in ("row", "column", "jaccard", "cosine"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name)[kept])
    ours, theirs = group(found, LEAST), group(expected, LEAST)
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    assert ours.merges == theirs.merges


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("num", [25, 400])
def test_likeness_is_that_of_one_machine(small: SmallProject, num: int, tmp_path: Path) -> None:
    """Also where there are fewer images than k1."""
    rows = person_features(num, 24, 9, 0.8, seed=1)
    shared = tmp_path / "seen by all"
    as_on_one_machine(likeness.likeness_by_workers(project(), shared, rows, SETTINGS, LEAST), rows)
    assert not list(shared.iterdir()), "what was made there is removed"


@pytest.mark.usefixtures("_here")
def test_an_ended_run_is_gone_on_with_by_the_same_rows_alone(
    small: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = person_features(300, 24, 9, 0.8, seed=1)
    made: list[str] = []
    call = Here.call

    def ends(self: Here, function: Any, *arguments: Any) -> Any:
        made.append(function.__name__)
        if function.__name__ == "find_weights":
            raise PipelineError("a worker process was killed")
        return call(self, function, *arguments)

    monkeypatch.setattr(Here, "call", ends)
    for _ in range(2):
        with pytest.raises(PipelineError, match="killed"):
            likeness.likeness_by_workers(project(), tmp_path, rows, SETTINGS, LEAST)
    assert made.count("find_neighbours") == 3, "the second run has found them"
    other = person_features(300, 24, 9, 0.8, seed=2)
    with pytest.raises(PipelineError, match="killed"):
        likeness.likeness_by_workers(project(), tmp_path, other, SETTINGS, LEAST)
    assert made.count("find_neighbours") == 6
    monkeypatch.setattr(Here, "call", call)
    as_on_one_machine(likeness.likeness_by_workers(project(), tmp_path, rows, SETTINGS, LEAST), rows)


@pytest.mark.usefixtures("_here")
def test_the_command_writes_the_same_bytes(trained: SmallProject) -> None:
    with_matches(trained)
    assert trained.run("embed", "crops", "--views", "mirror").code == 0
    arguments = ("group", "embeddings.parquet", "--no-progress")
    one = trained.run(*arguments)
    assert one.code == 0, one.err
    expected = [Path(name).read_bytes() for name in WRITTEN]
    ours = trained.run(*arguments, "--on", "ray")
    assert ours.code == 0 and ours.out == one.out, ours.err
    assert [Path(name).read_bytes() for name in WRITTEN] == expected


def test_more_rows_than_a_piece_are_shared_out_on_one_machine(
    trained: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among processes of this machine, here threads, and only where the search is exact."""
    with_matches(trained)
    assert trained.run("embed", "crops", "--views", "mirror").code == 0
    arguments = ("group", "embeddings.parquet", "--no-progress")
    one = trained.run(*arguments)
    expected = [Path(name).read_bytes() for name in WRITTEN]
    asked: list[int] = []

    @contextmanager
    def two_threads(run: Project, start: Any, **_: Any) -> Iterator[Here]:
        assert run.options.on == Engine.local
        asked.append(run.workers)
        yield Here(2)

    monkeypatch.setattr(likeness, "open_workers", two_threads)
    monkeypatch.setattr(by_workers, "MOST_ROWS", 3)
    ours = trained.run(*arguments)
    assert ours.code == 0 and ours.out == one.out, ours.err
    assert [Path(name).read_bytes() for name in WRITTEN] == expected
    assert len(asked) == 1 and not list(Path(".genreid/shared").iterdir())
    assert not likeness.is_shared_out(Project.open(Options()), 4, replace(SETTINGS, method="hnsw"))


def test_a_folder_without_a_cluster_is_a_mistake(trained: SmallProject) -> None:
    outcome = trained.run("group", "crops", "--shared", "somewhere")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert "--shared: one machine needs no such folder" in outcome.err and not Path("somewhere").exists()


@pytest.mark.usefixtures("_here")
def test_folders_that_cannot_be(small: SmallProject, tmp_path: Path) -> None:
    rows = person_features(30, 24, 9, 0.8, seed=1)
    (tmp_path / "file").touch()
    with pytest.raises(
        PipelineError, match=r"\A--shared: \S*file/below cannot be made \(.*\): name another\Z"
    ):
        likeness.likeness_by_workers(project(), tmp_path / "file" / "below", rows, SETTINGS, LEAST)


@pytest.mark.slow
def test_processes_find_the_same(
    small: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = person_features(700, 24, 9, 0.8, seed=1)
    monkeypatch.setattr(likeness, "open_workers", lambda run, start, **_: process_pool(2, start))
    as_on_one_machine(likeness.likeness_by_workers(project(), tmp_path, rows, SETTINGS, LEAST), rows)


@pytest.mark.slow
def test_two_nodes_of_a_cluster_find_the_same(
    trained: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = person_features(700, 24, 9, 0.8, seed=1)
    arguments = ("group", "embeddings.parquet", "--no-progress", "--least-similarity", "0.5")
    assert trained.run("embed", "crops").code == 0
    assert trained.run(*arguments).code == 0
    expected = [Path(name).read_bytes() for name in WRITTEN]
    with ray_nodes(2) as nodes:
        monkeypatch.setenv("GENREID_RAY", nodes.address)
        as_on_one_machine(likeness.likeness_by_workers(project(), tmp_path, rows, SETTINGS, LEAST), rows)
        outcome = trained.run(*arguments, "--on", "ray", "--shared", str(tmp_path))
        assert outcome.code == 0, outcome.err
    assert [Path(name).read_bytes() for name in WRITTEN] == expected
