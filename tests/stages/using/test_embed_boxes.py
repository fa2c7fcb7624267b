"""`genreid embed --boxes`, on tiny networks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.stages.small_project import SmallProject
from tests.stages.using.trained_project import embedding, trained

__all__ = ["trained"]

CLIP = ("embed", "clip/img1", "--boxes", "clip/det/det.txt")


def test_a_box_is_embedded_as_its_crop_would_be(trained: SmallProject) -> None:
    outcome = trained.run(*CLIP, "--batch-size", "3")
    assert outcome.code == 0, outcome.err
    table = pq.read_table("embeddings.parquet").to_pandas()
    assert list(table.frame) == [1, 1, 2, 2] and set(table.status) == {"ok"}
    # frame 1 shows crops 1 and 2, frame 2 crops 2 and 3
    for row, number in enumerate((1, 2, 2, 3)):
        expected = embedding(trained.folder, "joint.pt", number)
        np.testing.assert_allclose(table.embedding[row], expected, atol=1e-6)


def test_a_crop_is_searched_among_boxes(trained: SmallProject) -> None:
    assert trained.run(*CLIP).code == 0
    outcome = trained.run("search", "crops/0001.png", "-k", "3")
    assert outcome.code == 0, outcome.err
    assert "1.0000 │ 000001.png#xywh=0,0,24,48" in outcome.out
    assert min(Image.open("search.png").size) > 100


def test_what_is_left_out_and_what_has_no_row_is_counted(trained: SmallProject) -> None:
    with Path("gt.txt").open("w") as file:
        file.write("1,1,0,0,24,48,1,1,1\n1,2,24,0,24,48,0,1,1\n1,3,90,0,24,48,1,1,1\n8,1,0,0,24,48,1,1,1\n")
    outcome = trained.run("embed", "clip/img1", "--boxes", "gt.txt")
    assert outcome.code == 0, outcome.err
    assert "left out: 1 boxes flagged as not to be judged" in outcome.out
    for name in ("outside", "no frame", "embedded"):
        assert re.search(rf"{name}\W+1\b", outcome.out), name
    assert pq.read_table("embeddings.parquet")["track"].to_pylist() == [1, 3, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("clip/img1", "--boxes", "none.txt"), "none.txt: No such file"),
        (("clip/img1", "--boxes", "params.yaml"), "params.yaml: line 1: expected numbers with commas"),
        (("none.mp4", "--boxes", "clip/det/det.txt"), "no such folder and no such video"),
        (("params.yaml", "--boxes", "clip/det/det.txt"), "params.yaml: no video that OpenCV can read"),
        (("models", "--boxes", "clip/det/det.txt"), "models holds no image"),
        (("clip/img1/000001.png",), "000001.png: no such folder"),
    ],
)
def test_mistakes_are_told_in_one_line(
    trained: SmallProject, arguments: tuple[str, ...], message: str
) -> None:
    outcome = trained.run("embed", *arguments)
    assert outcome.code == 2 and outcome.err.startswith("error: ") and message in outcome.err
    assert outcome.err.count("\n") == 1, outcome.err


def test_boxes_are_no_rows_of_a_database(trained: SmallProject) -> None:
    outcome = trained.run(*CLIP, "--to", "lance:gallery")
    assert outcome.code == 2 and "--boxes: lance:gallery holds images and no boxes" in outcome.err
    assert outcome.err.count("\n") == 1 and not Path("gallery").exists()


def test_a_frame_s_name_tells_camera_and_time(trained: SmallProject) -> None:
    pattern = "(?P<camera>0000)0"
    assert trained.run(*CLIP, "--camera-pattern", pattern).code == 0
    assert pq.read_table("embeddings.parquet")["camera"].to_pylist() == ["0000"] * 4
