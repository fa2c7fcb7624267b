"""`embed` and `search` with means over views, and with the means of cameras taken off."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from genreid.data.transforms import normalise, resize
from genreid.models.checkpoint import load_encoder
from pipeline.artifacts import write_json_artifact
from tests.stages.small_project import SmallProject
from tests.stages.using.trained_project import HEIGHT_PX, WIDTH_PX, crop, embedding, trained

__all__ = ["trained"]


def mean_of(folder: Path, pictures: list[np.ndarray]) -> np.ndarray:
    """By hand, of pictures at the training size."""
    encoder = load_encoder(torch.load(folder / "models" / "joint.pt", weights_only=True))
    with torch.no_grad():
        rows = [encoder(normalise(picture[None])).embedding[0].double().numpy() for picture in pictures]
    total = sum(row / np.sqrt((row**2).sum()) for row in rows)
    return total / np.sqrt((total**2).sum())


def listed(out: str) -> list[tuple[float, str]]:
    """Similarity and path of the rows that `search` prints."""
    rows = [line.split("│")[1:4] for line in out.splitlines() if line.startswith("│")]
    return [(float(cosine), path.strip()) for _, cosine, path in rows]


def test_embeddings_and_queries_are_means_over_views(trained: SmallProject) -> None:
    assert trained.run("embed", "crops", "--views", "mirror").code == 0
    table = pq.read_table("embeddings.parquet").to_pandas().set_index("path")
    assert table.views.drop("0003.png").tolist() == [2] * 4 and np.isnan(table.views["0003.png"])
    for number in (1, 4):
        image = resize(crop(number), HEIGHT_PX, WIDTH_PX)
        expected = mean_of(trained.folder, [image, np.flip(image, 1)])
        np.testing.assert_allclose(table.embedding[f"{number:04d}.png"], expected, atol=1e-6)
    outcome = trained.run("search", "crops/0004.png", "-k", "1")
    assert outcome.code == 0 and listed(outcome.out) == [(1.0, "0004.png")], outcome.err
    outcome = trained.run("search", "crops/0004.png", "--views", "image")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert "was embedded with --views mirror, and --views is image" in outcome.err


def test_turned_views_are_those_of_the_estimated_body(trained: SmallProject) -> None:
    outcome = trained.run("embed", "crops", "--views", "turned")
    assert outcome.code == 0, outcome.err
    assert "body by: regressor, fitted on synthetic persons" in outcome.out
    table = pq.read_table("embeddings.parquet").to_pandas().set_index("path")
    assert table.views.drop("0003.png").tolist() == [8] * 4
    alone = embedding(trained.folder, "joint.pt", 1)
    assert np.abs(table.embedding["0001.png"] - alone).max() > 1e-3
    found = listed(trained.run("search", "crops/0001.png", "-k", "1").out)
    assert found == [(1.0, "0001.png")]
    (trained.folder / "models" / "regressor.pt").unlink()
    outcome = trained.run("embed", "crops", "--views", "turned")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert "no body can be estimated" in outcome.err and "--views image" in outcome.err


def test_auto_is_what_evaluate_recommends_for_this_very_checkpoint(trained: SmallProject) -> None:
    def views_of(*arguments: str) -> int:
        assert trained.run("embed", "crops", *arguments).code == 0
        return int(pq.read_table("embeddings.parquet")["views"][0].as_py())

    assert views_of() == 1, "nobody has evaluated"
    digest = hashlib.sha256((trained.folder / "models" / "joint.pt").read_bytes()).hexdigest()
    recommended = {"recommended": {"views": "mirror", "checkpoint": digest}}
    write_json_artifact(trained.folder / "metrics.json", recommended)
    assert views_of() == 2
    assert views_of("--views", "image") == 1
    assert views_of("--checkpoint", "encoder") == 1, "it is the joint encoder that was looked at"


def test_camera_means_are_taken_off_gallery_and_query(trained: SmallProject) -> None:
    crops = trained.folder / "crops"
    for number, camera in ((1, "c1"), (2, "c1"), (4, "c2"), (5, "c2")):
        (crops / f"{number:04d}.png").rename(crops / f"{camera}_{number}.png")
    done = trained.run("embed", "crops", "--camera-pattern", r"(?P<camera>c\d)_")
    assert done.code == 0, done.err
    own = {number: embedding(trained.folder, "joint.pt", number) for number in (1, 2, 4, 5)}
    mean = {"c1": (own[1] + own[2]) / 2, "c2": (own[4] + own[5]) / 2, None: sum(own.values()) / 4}

    def less(row: np.ndarray, camera: str | None) -> np.ndarray:
        rest = row - mean[camera]
        return rest / np.sqrt((rest**2).sum())

    table = pq.read_table("embeddings.parquet").to_pandas().set_index("path")
    assert table.camera.dropna().to_dict() == {
        "c1_1.png": "c1",
        "c1_2.png": "c1",
        "c2_4.png": "c2",
        "c2_5.png": "c2",
    }
    np.testing.assert_allclose(table.embedding["c2_4.png"], less(own[4], "c2"), atol=1e-5)

    def found(*arguments: str) -> tuple[str, dict[str, float]]:
        outcome = trained.run("search", *arguments)
        assert outcome.code == 0, outcome.err
        return outcome.out, {path: cosine for cosine, path in listed(outcome.out)}

    (crops / "c2_4.png").rename("someone.png")
    assert trained.run("embed", "crops", "--camera-pattern", r"(?P<camera>c\d)_").code == 0
    mean |= {"c2": own[5], None: (own[1] + own[2] + own[5]) / 3}
    for arguments, own_camera, said in (
        (("someone.png",), None, "less the mean of all images: its camera is not known"),
        (("someone.png", "--query-camera", "c2"), "c2", "less the mean of camera c2"),
        (("crops/c1_1.png",), "c1", "less the mean of camera c1"),
    ):
        out, cosines = found(*arguments)
        assert said in out
        row = less(own[4] if arguments[0] == "someone.png" else own[1], own_camera)
        assert cosines["c1_2.png"] == pytest.approx(float(less(own[2], "c1") @ row), abs=6e-5)
        assert cosines["c2_5.png"] == pytest.approx(float(own[5] @ row), abs=6e-5), "alone in its camera"


def test_cameras_that_a_gallery_does_not_know_are_refused(trained: SmallProject) -> None:
    assert trained.run("embed", "crops").code == 0
    outcome = trained.run("search", "crops/0001.png", "--query-camera", "c1")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert "embeddings.parquet is not without the means of cameras: leave it out" in outcome.err
    assert trained.run("embed", "crops", "--camera-pattern", r"(?P<camera>\d)\.png").code == 0
    outcome = trained.run("search", "crops/0001.png", "--query-camera", "c9")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert "has no camera c9: name one of 1, 2, 4, 5, or leave it out" in outcome.err
