"""A data set in an object store gives what it gives on a disk, and the network loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from genreid.data.manifest import Manifest
from stages import mesh_extract
from stages.shared import external
from tests.genreid.data.datasets.test_layouts import MARKET
from tests.genreid.data.datasets.trees import write_images
from tests.object_store import Bucket, SlowStore, bucket, s3_address, slow_store
from tests.stages.odd_project import refused
from tests.stages.ray_nodes import ray_nodes, shard_bytes
from tests.stages.small_project import SmallProject
from tests.stages.test_own_data import A_FEW_STEPS, LATER_STAGES, go, write_crops

__all__ = ["bucket", "s3_address", "slow_store"]

MANIFEST = Path("data") / "manifest.parquet"
CAMERAS = r"cam (?P<camera>\d)/(?P<person>\d+)_c.*"


def manifest(project: SmallProject) -> Manifest:
    return Manifest.from_table(pq.read_table(project.folder / MANIFEST))


def crops(project: SmallProject, num: int = 8) -> Path:
    """Crops without labels, on the disk."""
    write_images(project.folder / "crops", [f"{number}.png" for number in range(num)])
    project.set(prepare_data__dataset="folder", mesh_extract__estimator="mean_pose")
    return project.folder / "crops"


def test_a_published_data_set_in_a_bucket(small: SmallProject, bucket: Bucket) -> None:
    home = small.folder / "disk" / "Market-1501-v15.09.15"
    write_images(home, MARKET)
    (home / "query" / "Thumbs.db").write_bytes(b"")
    broken = home / "bounding_box_train" / "0002_c6s4_002202_01.JPG"
    broken.write_bytes(broken.read_bytes()[:-40])
    url = bucket.upload(small.folder / "disk", "sets")
    told, tables, sheets = [], [], []
    for place in ("disk", url):
        small.set(prepare_data__dataset="market1501", paths__dataset=place)
        told.append(go(small, "prepare-data"))
        tables.append(manifest(small))
        sheets.append((small.folder / "plots" / "prepare-data" / "contact_sheet.png").read_bytes())
    assert told[0] == told[1] and "1 images cannot be read" in told[0] and sheets[0] == sheets[1]
    assert tables[0].table.equals(tables[1].table) and len(tables[0]) == len(MARKET)
    assert tables[0].info.root == "disk/Market-1501-v15.09.15"
    assert tables[1].info.root == f"{url}/Market-1501-v15.09.15"


def test_a_network_that_fails_costs_the_piece_under_way(
    small: SmallProject, slow_store: type[SlowStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "_IMAGES_PER_PIECE", 2)
    small.set(paths__dataset=slow_store.upload(crops(small), "crops"))
    go(small, "prepare-data")
    whole = (small.folder / MANIFEST).read_bytes()

    def fail(path: str) -> None:
        if path.endswith("/5.png"):
            raise TimeoutError("nobody there")

    slow_store.before = staticmethod(fail)  # type: ignore[assignment]
    (small.folder / MANIFEST).unlink()
    line = refused(small, "prepare-data")
    assert line.startswith(
        "slow://crops/5.png: the store does not answer (nobody there): look at the network"
    )
    assert not (small.folder / MANIFEST).exists()
    slow_store.before = None
    slow_store.reads.clear()
    go(small, "prepare-data")
    shown = 8  # the contact sheet's
    assert sorted(slow_store.reads[:-shown]) == [f"/crops/{number}.png" for number in (4, 5, 6, 7)]
    assert (small.folder / MANIFEST).read_bytes() == whole


def test_an_object_that_changed_meanwhile_is_looked_over_again(
    small: SmallProject, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = crops(small, num=3)
    small.set(paths__dataset=bucket.upload(folder, "crops"))

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(external, "read_pieces", interrupt)
        assert small.run("prepare-data", "--no-progress").code == 130
    bucket.put("crops/1.png", b"?" * (folder / "1.png").stat().st_size)  # of the same size
    told = go(small, "prepare-data")
    assert "1 files changed since prepare-data was interrupted; looked over again" in told
    assert manifest(small).status.tolist() == ["ok", "unreadable", "ok"]


@pytest.mark.slow
def test_later_stages_read_the_same_images(small: SmallProject, bucket: Bucket) -> None:
    folder, meshes = crops(small), []
    for place in ("crops", bucket.upload(folder, "crops")):
        small.set(paths__dataset=place)
        go(small, "prepare-data", "mesh-extract")
        meshes.append(shard_bytes(small.folder / "data" / "mesh"))
    assert meshes[0] == meshes[1] and len(meshes[0]) == 1
    by_one = (small.folder / MANIFEST).read_bytes()
    done = small.run("prepare-data", "--no-progress", "--fresh", "--workers", "2")
    assert done.code == 0 and (small.folder / MANIFEST).read_bytes() == by_one, done.err
    small.set(mesh_extract__heading_noise_deg=1.0)

    bucket.put("crops/3.png", b"larger than it was" * 1000)
    line = refused(small, "mesh-extract")
    assert line.startswith(f"{bucket.url}/crops/3.png: 18,000 bytes, ")
    assert line.endswith("the data set has changed, run `genreid prepare-data` again")
    bucket.delete("crops/3.png")
    line = refused(small, "mesh-extract")
    assert line.startswith(
        f"{bucket.url}/crops/3.png: The specified key does not exist: the data set has changed"
    )
    for number in range(8):
        bucket.delete(f"crops/{number}.png")
    line = refused(small, "mesh-extract")
    assert line.startswith(f"{bucket.url}/crops: is gone, or empty: put the folder back")


@pytest.mark.parametrize(
    "url, told",
    [
        (
            "s3://no-such-bucket/crops",
            "s3://no-such-bucket/crops: The specified bucket does not exist: look at",
        ),
        (
            "s3://{}/none",
            "params.yaml:{line}: paths.dataset: s3://{}/none is no folder of that store: nothing is in it",
        ),
        ("nope://crops", "nope://crops: Protocol not known: nope: write s3://BUCKET/FOLDER"),
    ],
)
def test_a_store_that_has_no_such_folder(small: SmallProject, bucket: Bucket, url: str, told: str) -> None:
    small.set(prepare_data__dataset="folder", paths__dataset=url.format(bucket.name))
    line = refused(small, "prepare-data")
    start, _, rest = told.format(bucket.name, line="*").partition("*")
    assert line.startswith(start) and rest in line


@pytest.mark.slow
def test_the_doctor_looks_into_the_store(small: SmallProject, bucket: Bucket) -> None:
    small.set(paths__dataset=bucket.upload(crops(small), "crops"))
    told = small.run("doctor").out
    assert f"folder at {bucket.url}/crops: 8 images" in " ".join(told.split())


@pytest.mark.slow
def test_the_whole_graph_gives_the_same_figures(small: SmallProject, bucket: Bucket) -> None:
    write_crops(small.folder / "crops")
    small.set(
        prepare_data__dataset="folder",
        prepare_data__folder__train=CAMERAS,
        prepare_data__val_identities=2,
        mesh_extract__estimator="mean_pose",
        render_views__yaws_deg=[0, 45, 180],
        evaluate__split="val",
        **A_FEW_STEPS,
    )
    found = []
    for place in ("crops", bucket.upload(small.folder / "crops", "crops")):
        small.set(paths__dataset=place)
        go(small, "prepare-data", "fit-regressor", *LATER_STAGES)
        found.append((small.metrics(), shard_bytes(small.folder / "data" / "views")))
        (small.folder / "metrics.json").unlink()
        assert json.loads((small.folder / "provenance" / "evaluate.json").read_text())["resumed"] is False
    assert found[0] == found[1] and 0 < found[0][0]["joint"]["mAP"] <= 100


@pytest.mark.slow
def test_nodes_of_a_cluster_read_from_the_store(
    small: SmallProject, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (mesh_extract, external):
        monkeypatch.setattr(module, "_IMAGES_PER_PIECE", 3)
    small.set(paths__dataset=bucket.upload(crops(small), "crops"))
    go(small, "prepare-data", "mesh-extract")
    here = (small.folder / MANIFEST).read_bytes(), shard_bytes(small.folder / "data" / "mesh")
    with ray_nodes(2) as nodes:
        monkeypatch.setenv("GENREID_RAY", nodes.address)
        for stage in ("prepare-data", "mesh-extract"):
            done = small.run(stage, "--no-progress", "--fresh", "--on", "ray", "--workers", "2")
            assert done.code == 0 and not done.err, done.err
        assert here == ((small.folder / MANIFEST).read_bytes(), shard_bytes(small.folder / "data" / "mesh"))
        bucket.delete("crops/3.png")
        done = small.run("mesh-extract", "--no-progress", "--fresh", "--on", "ray")
        assert done.code == 2 and done.err.count("\n") == 1, done.err
        assert (
            done.err.startswith("error: node ") and f"{bucket.url}/crops/3.png: The specified key" in done.err
        )
