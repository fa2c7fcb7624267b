"""A kept state does not outlive the user's files that it was made from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genreid.data.manifest import Manifest, ManifestInfo
from pipeline.artifacts import write_table
from stages.shared.users_files import pictures_stamp
from tests.stages.conftest import PARAMS, opened

SETTINGS = "prepare_data:\n  body: body.npz\npretrain_encoder:\n  import_from: null\n"


@pytest.fixture
def external(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interrupted stage on a data set outside the project; returns the set's folder."""
    root = tmp_path_factory.mktemp("set")
    for name in ("a.png", "b.png"):
        (root / name).write_bytes(b"picture")
    rows = [
        {"image_id": name, "path": name, "split": "train", "camera_id": 1, "status": "ok"}
        for name in ("a.png", "b.png")
    ]
    info = ManifestInfo("folder", str(root), 64, 32, "body.npz")
    write_table(project / "data" / "manifest.parquet", Manifest.from_rows(rows, info).to_table())
    (project / "data" / "images").mkdir()
    (project / "body.npz").write_bytes(b"body")
    (project / "params.yaml").write_text(PARAMS + SETTINGS)
    assert not is_resumed()
    return root


def is_resumed() -> bool:
    """Whether the stage goes on from its state; it is interrupted again."""
    with pytest.raises(KeyboardInterrupt), opened(inputs=("manifest", "images")) as run:
        resumed = run.state.resumed
        raise KeyboardInterrupt
    return resumed


def replace(path: Path) -> None:
    """By another of the same size, at another time: on a fast disk a nanosecond is enough."""
    before = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before, before + 1))


def test_the_same_files_are_gone_on_from(external: Path) -> None:
    assert is_resumed() and is_resumed()


def test_a_replaced_picture_makes_the_state_stale(external: Path) -> None:
    replace(external / "b.png")
    assert not is_resumed()
    assert is_resumed()
    (external / "b.png").unlink()
    assert not is_resumed()


def test_a_file_that_params_name_counts_by_its_content(external: Path, project: Path) -> None:
    os.utime(project / "body.npz", ns=(1, 1))
    assert is_resumed()
    replace(project / "body.npz")
    assert not is_resumed()


@pytest.mark.parametrize("place", [".dvc/tmp/exps/standalone/tmpab12", ".genreid/studies/slot-0"])
def test_pictures_that_a_copy_of_the_project_lacks_are_those_of_the_project(
    place: str, tmp_path: Path
) -> None:
    """A data set that git ignores, named relative to the project: in the copy there is no such folder."""
    picture, copy = tmp_path / "datasets" / "crops" / "a.png", tmp_path / place
    for path in (picture, copy / "data" / "manifest.parquet"):
        path.parent.mkdir(parents=True)
    picture.write_bytes(b"picture")
    row = {"image_id": "a.png", "path": "a.png", "split": "train", "camera_id": 1, "status": "ok"}
    info = ManifestInfo("folder", "datasets/crops", 64, 32, "open")
    manifest = copy / "data" / "manifest.parquet"
    write_table(manifest, Manifest.from_rows([row], info).to_table())
    before = pictures_stamp(copy, manifest, "data/images", "")
    assert before == pictures_stamp(tmp_path, manifest, "data/images", "")
    replace(picture)
    assert pictures_stamp(copy, manifest, "data/images", "") != before
