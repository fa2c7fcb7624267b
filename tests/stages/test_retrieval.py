"""When figures of retrieval are undefined, and what is looked at then."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from genreid.data.manifest import Manifest, ManifestInfo
from pipeline.artifacts import write_table
from pipeline.errors import PipelineError
from stages._retrieval import Pair, why_undefined
from stages._run import Options, open_stage
from stages.summary import UNDEFINED, print_ranking
from tests.stages.small_project import SmallProject, small

__all__ = ["small"]


def asked(*pairs: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    ids, cameras = np.array(pairs).T
    return ids, cameras


@pytest.mark.parametrize(
    ("queries", "gallery", "reason"),
    [
        ([(1, 1)], [(1, 2), (2, 1)], None),
        ([(3, 1), (1, 1)], [(1, 1), (1, 2)], None),
        ([(1, 4)], [(1, 4), (2, 4)], "all images are of camera 4"),
        ([(1, -1)], [(1, -1)], "no image's camera is known"),
        ([(-2, 1)], [(-2, 2)], "no query has an identity"),
        ([(0, 1), (-1, 1)], [(0, 2), (-1, 2)], "no query has an identity"),
        (
            [(1, 1), (2, 2)],
            [(1, 1), (2, 2), (3, 1)],
            "no query has an image of its identity from another camera",
        ),
    ],
)
def test_why_undefined(
    queries: list[tuple[int, int]], gallery: list[tuple[int, int]], reason: str | None
) -> None:
    found = why_undefined(*asked(*queries), *asked(*gallery))
    assert found is None if reason is None else reason in (found or "")


def pair_of(small: SmallProject, splits: list[str], asked_for: str) -> Pair:
    rows = [
        {"image_id": f"{n}", "path": f"{n}", "split": split, "camera_id": n, "person_id": 1, "status": "ok"}
        for n, split in enumerate(splits)
    ]
    info = ManifestInfo("tiny", "data/images", 64, 32, "open")
    write_table(small.folder / "data" / "manifest.parquet", Manifest.from_rows(rows, info).to_table())
    options = Options(fresh=True, device="cpu", workers=1, progress=False)
    with open_stage("evaluate", options, inputs=("manifest",)) as run:
        return Pair.of(run, asked_for)


def test_without_a_query_training_images_are_looked_at(small: SmallProject) -> None:
    pair = pair_of(small, ["train"] * 5, "test")
    assert pair.queries.images.image_id == ["0", "2", "4"] and pair.gallery.images.image_id == ["1", "3"]
    assert pair.undefined == "tiny has no query and gallery images"


def test_the_other_pair_is_named(small: SmallProject) -> None:
    with pytest.raises(
        PipelineError, match=r"evaluate\.split is val.*no val_query.*set evaluate\.split to test"
    ):
        pair_of(small, ["train", "query", "gallery"], "val")
    assert pair_of(small, ["train", "query", "gallery"], "test").undefined is None


def test_the_summary_says_that_it_is_undefined(capsys: pytest.CaptureFixture[str]) -> None:
    print_ranking(Console(width=200), {UNDEFINED: "all images are of camera 1", "views": {}})
    assert capsys.readouterr().out == ("Retrieval: mAP and CMC are undefined: all images are of camera 1.\n")
