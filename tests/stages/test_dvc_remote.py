"""DVC keeps the shards of a data set in a bucket, in a bucket: the images themselves go nowhere."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from pipeline.recipes import write_overrides
from tests.genreid.data.datasets.trees import write_images
from tests.object_store import Bucket, bucket, s3_address
from tests.stages.ray_nodes import shard_bytes
from tests.stages.smoke_project import SmokeProject

__all__ = ["bucket", "s3_address"]

pytestmark = pytest.mark.slow
NUM_CROPS = 20


def test_shards_are_pushed_and_pulled(tmp_path: Path, bucket: Bucket) -> None:
    pytest.importorskip("dvc_s3", reason="dvc-s3 is not installed (pip install 'genreid[dev]')")
    write_images(tmp_path / "crops", [f"cam {number % 2}/{number}.png" for number in range(NUM_CROPS)])
    url = bucket.upload(tmp_path / "crops", "crops")
    shutil.rmtree(tmp_path / "crops")
    project = SmokeProject(tmp_path / "project")

    def do(*arguments: str) -> str:
        done = project.command(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    changes = {"paths.dataset": url, "prepare_data.dataset": "folder", "mesh_extract.estimator": "mean_pose"}
    write_overrides(project.folder / "params.yaml", changes)
    do("dvc", "remote", "add", "--default", "bucket", f"{bucket.url}/dvc")
    do("dvc", "repro", "mesh-extract")
    made = shard_bytes(project.folder / "data" / "mesh")
    assert len(made) == 1

    images = {hashlib.md5(bucket.read(key)).hexdigest() for key in bucket.all_keys()}
    assert len(images) == NUM_CROPS
    do("dvc", "push")
    kept = {"".join(key.rsplit("/", 2)[-2:]) for key in bucket.all_keys() if key.startswith("dvc/")}
    assert {hashlib.md5(content).hexdigest() for content in made.values()} <= kept and not images & kept

    shutil.rmtree(project.folder / "data")
    shutil.rmtree(project.folder / ".dvc" / "cache")
    do("dvc", "pull", "--with-deps", "mesh-extract")
    assert shard_bytes(project.folder / "data" / "mesh") == made
    assert "Data and pipelines are up to date" in do("dvc", "status", "mesh-extract")
