"""Encoders that `evaluate --also` holds beside the run's own: on the same images, at their own size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.genreid.models.imported import programs
from tests.stages.odd_project import NUM_IMAGES
from tests.stages.small_project import Outcome, SmallProject
from tests.stages.test_wiring import NUM_TRAIN, PERSONS, project, share_out

__all__ = ["project"]

SIZE_PX = 96, 48


@pytest.fixture
def evaluable(project: SmallProject) -> SmallProject:
    """Each query has one match, the image after it."""
    share_out(project, "query", "gallery")
    project.set(evaluate__test_views=[])
    torch.save(programs.osnet(), "osnet.pth")
    Path("osnet.pth.yaml").write_text(f"height_px: {SIZE_PX[0]}\nwidth_px: {SIZE_PX[1]}\n")
    return project


def evaluated(project: SmallProject, *also: str) -> Outcome:
    return project.run("evaluate", "--no-progress", *(word for one in also for word in ("--also", one)))


def osnets_mean_ap(folder: Path) -> float:
    """In percent, of torchreid's program on pictures at the size that it was given."""
    rows = []
    for number in range(NUM_TRAIN, NUM_IMAGES):
        picture = cv2.imread(str(folder / "data" / "images" / f"{number:02d}.png"))[:, :, ::-1]
        enlarged = cv2.resize(picture, SIZE_PX[::-1], interpolation=cv2.INTER_LINEAR)
        pixels = (enlarged / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        image = torch.tensor(pixels, dtype=torch.float32).permute(2, 0, 1)[None]
        rows.append(F.normalize(programs.osnet_features(programs.osnet(), image))[0].numpy())
    persons = PERSONS[NUM_TRAIN:]
    precisions = []
    for query in range(0, len(rows), 2):
        gallery = sorted(range(1, len(rows), 2), key=lambda other: -(rows[query] @ rows[other]))
        rank = [persons[other] for other in gallery].index(persons[query]) + 1
        precisions.append(1 / rank)
    return 100 * float(np.mean(precisions))


@pytest.mark.slow
def test_each_has_a_row_and_nothing_else_changes(evaluable: SmallProject) -> None:
    assert evaluated(evaluable).code == 0
    before = evaluable.metrics()
    assert "also" not in before
    shutil.copy("models/joint.pt", "other.pt")
    outcome = evaluated(evaluable, "twin=other.pt", "osnet_x0.25=osnet.pth")
    assert outcome.code == 0, outcome.err
    metrics = evaluable.metrics()
    also = metrics.pop("also")
    assert metrics == before
    assert also["twin"] == before["joint"], "the same weights, on the same images"
    assert also["osnet_x0.25"]["mAP"] == pytest.approx(osnets_mean_ap(evaluable.folder))
    assert also["osnet_x0.25"].keys() == before["joint"].keys()
    rows = [line.split("│")[1].strip() for line in outcome.out.splitlines() if line.startswith("│")]
    table = rows.index("warm-up")
    assert rows[table : table + 4] == ["warm-up", "joint training", "twin", "osnet_x0.25"]
    facts = json.loads((evaluable.folder / "provenance" / "evaluate.json").read_text())
    assert "layout osnet" in str(facts) and "other.pt" in str(facts)
    assert "osnet_x0.25" in evaluable.run("summary").out


@pytest.mark.parametrize(
    ("also", "message"),
    [
        (["osnet.pth"], "--also osnet.pth: expected NAME=FILE"),
        (["a b=osnet.pth"], "expected NAME=FILE"),
        (["joint=osnet.pth"], "there is an encoder joint already"),
        (["a=osnet.pth", "a=osnet.pth"], "there is an encoder a already"),
        (["a=gone.pth"], "gone.pth: no such file"),
        (["a=params.yaml"], "params.yaml cannot be read"),
        (["a=models/generator.pt"], "expected a checkpoint of format 'genreid.encoder'"),
        (["a=models"], "models is a folder"),
    ],
)
def test_a_wrong_one_is_one_line_before_any_work(
    evaluable: SmallProject, also: list[str], message: str
) -> None:
    outcome = evaluated(evaluable, *also)
    assert outcome.code == 2 and message in outcome.err and outcome.err.count("\n") == 1, outcome.err
    assert not (evaluable.folder / "metrics.json").exists()
