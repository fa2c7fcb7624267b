"""`evaluate` with several ways of looking at images, against embeddings and rankings made by hand."""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from genreid.body.body import load_body
from genreid.data.images import ImageSet
from genreid.data.manifest import SPLITS, Manifest
from genreid.data.transforms import normalise
from genreid.evaluation import generated_views
from genreid.evaluation.matches import CUTS, MatchCurve
from genreid.models.checkpoint import load_encoder
from genreid.models.speed import Speed
from genreid.render.backend import choose_renderer
from genreid.warping.images import WarpedImages
from genreid.warping.speed import Turning
from genreid.warping.warper import Warper
from pipeline.artifacts import read_json_artifact, read_table
from stages.shared import expected, looking
from tests.stages.odd_project import NUM_IMAGES, refused
from tests.stages.small_project import SmallProject
from tests.stages.test_wiring import PERSONS, meshes, project, read, share_out

__all__ = ["project"]

CAMERAS = 1 + np.arange(NUM_IMAGES) % 2
ROWS = {"": (slice(4, None, 4), slice(5, None, 4)), "validation": (slice(6, None, 4), slice(7, None, 4))}
"""Queries and gallery."""


@pytest.fixture
def looked_at(project: SmallProject) -> SmallProject:
    """Two queries and two gallery images, as many of the validation, with bodies in all of them."""
    share_out(project, "query", "gallery", "val_query", "val_gallery")
    splits = ["query", "gallery", "val_query", "val_gallery"]
    project.set(mesh_extract__estimator="mean_pose", mesh_extract__splits=splits)
    assert project.run("mesh-extract", "--no-progress").code == 0
    return project


def images_of(project: SmallProject) -> np.ndarray:
    paths = [project.folder / "data" / "images" / f"{number:02d}.png" for number in range(NUM_IMAGES)]
    return np.stack([cv2.imread(str(path))[..., ::-1] for path in paths])


def turned(project: SmallProject) -> list[np.ndarray]:
    """All images but the training's, from seven sides; the training's as they are."""
    table = read_table(project.folder / "data" / "manifest.parquet", "")
    manifest = Manifest.from_table(table).select("query", "gallery", "val_query", "val_gallery")
    ids, found = meshes(project.folder)
    found = found.select(np.array([ids.index(image_id) for image_id in manifest.image_id]))
    images = ImageSet(project.folder / "data" / "images", manifest)
    warper = Warper(load_body("open"), choose_renderer("zbuffer", torch.device("cpu")))
    warped = WarpedImages(warper, images, found.parameters, found.camera)
    every = np.arange(len(manifest))
    of = [int(image_id[:2]) for image_id in manifest.image_id]
    views = []
    for yaw_deg in range(45, 360, 45):
        pictures = images_of(project).copy()
        pictures[of] = warped.pictures(every, np.full(len(every), yaw_deg))
        views.append(pictures)
    return views


def embedded(project: SmallProject, file: str, pictures: list[np.ndarray]) -> np.ndarray:
    encoder = load_encoder(read(project, file)).eval()
    with torch.no_grad():
        each = [encoder(normalise(images)).embedding.double().numpy() for images in pictures]
    total = sum(rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in each)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def mean_ap(rows: np.ndarray, queries: slice, gallery: slice, *, centred: bool) -> float:
    every = np.arange(NUM_IMAGES)
    asked, there = every[queries], every[gallery]
    rows = rows.copy()
    if centred:
        both = np.concatenate([asked, there])
        for camera in (1, 2):
            own = both[CAMERAS[both] == camera]
            rows[own] -= rows[own].mean(0)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    precisions = []
    for query in asked:
        candidates = [g for g in there if not (PERSONS[g] == PERSONS[query] and CAMERAS[g] == CAMERAS[query])]
        candidates.sort(key=lambda g: -rows[g] @ rows[query])
        right = [place for place, g in enumerate(candidates, 1) if PERSONS[g] == PERSONS[query]]
        precisions.append(np.mean([n / place for n, place in enumerate(right, 1)]))
    return 100 * float(np.mean(precisions))


def test_all_ways_and_what_validation_identities_recommend(looked_at: SmallProject) -> None:
    looked_at.set(evaluate__test_views=["turned", "mirror"])
    outcome = looked_at.run("evaluate", "--no-progress")
    assert outcome.code == 0, outcome.err
    metrics = looked_at.metrics()
    images = images_of(looked_at)
    ways = {
        "image": [images],
        "mirror": [images, images[:, :, ::-1]],
        "turned": [images, *turned(looked_at)],
    }
    known = {}
    for name, file, split in (
        ("warm_up", "encoder", ""),
        ("joint", "joint", ""),
        ("validation", "joint", "validation"),
    ):
        for way, pictures in ways.items():
            rows = embedded(looked_at, file, pictures)
            for prefix, centred in (("", False), ("centred_", True)):
                known[f"{name}_{way}_{prefix}mAP"] = mean_ap(rows, *ROWS[split], centred=centred)
    found = {name: value for name, value in metrics["test_views"].items() if name.endswith("mAP")}
    assert found == pytest.approx(known)
    assert metrics["test_views"]["joint_image_mAP"] == metrics["joint"]["mAP"], "as the main table has it"

    best = max(known[f"validation_{way}_mAP"] for way in ways)
    cheapest = next(way for way in ways if known[f"validation_{way}_mAP"] >= best - 0.5)
    digest = hashlib.sha256((looked_at.folder / "models" / "joint.pt").read_bytes()).hexdigest()
    assert metrics["recommended"] == {"views": cheapest, "checkpoint": digest}
    for said in (outcome.out, looked_at.run("summary").out):
        assert f"`genreid embed` takes --views {cheapest} (" in said
        assert "joint training, validation identities" in said and "and 7 turned views" in said
    assert "Milliseconds an image" in outcome.out

    curves = measured(looked_at, digest)
    assert sorted(curves) == sorted(f"{way}{suffix}" for way in ways for suffix in ("", " centred"))
    for way, pictures in ways.items():
        require_pairs(curves[way], embedded(looked_at, "joint", pictures))

    looked_at.set(evaluate__split="val")
    assert looked_at.run("evaluate", "--no-progress").code == 0
    assert list(measured(looked_at, digest)) == list(curves)
    again = looked_at.metrics()
    assert again["recommended"] == metrics["recommended"]
    assert again["test_views"]["joint_mirror_mAP"] == again["test_views"]["validation_mirror_mAP"]
    assert again["test_views"]["validation_mirror_mAP"] == pytest.approx(known["validation_mirror_mAP"])


@pytest.mark.parametrize(
    ("ways", "looks", "turns"),
    # Four images in the eyes of two encoders and four of the validation in those of one; 1 + 2 + 8 pictures.
    [(["turned", "mirror"], 12 * 11, 8 * 10**4 + 12 * 7 * 10**6), (["mirror"], 12 * 3, 0), ([], 12, 0)],
)
def test_what_the_ways_are_expected_to_take(
    looked_at: SmallProject, monkeypatch: pytest.MonkeyPatch, ways: list[str], looks: int, turns: int
) -> None:
    told: list[float] = []
    monkeypatch.setattr(looking.Speed, "of", lambda *_: Speed(1, 0))
    monkeypatch.setattr(looking.Turning, "of", lambda *_: Turning(10**4, 10**6))
    monkeypatch.setattr(generated_views, "expected_seconds", lambda *_: 0)
    monkeypatch.setattr(expected, "tell", lambda _tracker, seconds: told.append(seconds))
    looked_at.set(evaluate__test_views=ways)
    assert looked_at.run("evaluate", "--no-progress").code == 0
    assert told == [looks + turns]


def measured(project: SmallProject, checkpoint: str) -> dict[str, Any]:
    """The curves of matches that `evaluate` has left for this checkpoint."""
    content = read_json_artifact(project.folder / "plots" / "evaluate" / "matches.json", "")
    assert content["checkpoint"] == checkpoint
    return {name: MatchCurve(**{**one, **_tuples(one)}) for name, one in content["curves"].items()}


def _tuples(curve: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(curve[name]) for name in ("false_match_rate", "miss_rate")}


def require_pairs(curve: MatchCurve, rows: np.ndarray) -> None:
    """The curve is that of the validation identities' pairs in two cameras."""
    every = np.arange(NUM_IMAGES)
    both = np.concatenate([every[part] for part in ROWS["validation"]])
    pairs = [(i, j) for i, j in combinations(both, 2) if CAMERAS[i] != CAMERAS[j]]
    same = [rows[i] @ rows[j] for i, j in pairs if PERSONS[i] == PERSONS[j]]
    different = [rows[i] @ rows[j] for i, j in pairs if PERSONS[i] != PERSONS[j]]
    assert (curve.source, curve.num_same, curve.num_different) == ("identities", len(same), len(different))
    for place in (250, 300, 350, 390, 398):
        assert curve.miss_rate[place] == pytest.approx(np.mean(np.array(same) < CUTS[place]))
        assert curve.false_match_rate[place] == pytest.approx(np.mean(np.array(different) >= CUTS[place]))


def test_without_validation_identities_the_image_alone_is_taken(project: SmallProject) -> None:
    share_out(project, "query", "gallery")
    project.set(evaluate__test_views=["turned"])
    outcome = project.run("evaluate", "--no-progress")
    assert outcome.code == 0, outcome.err
    figures = project.metrics()["test_views"]
    assert "recommended" not in project.metrics()
    assert not any(name.startswith("validation") for name in figures)
    assert "no validation identities tell of another way" in outcome.out
    nobody = {name.replace("turned", "image"): value for name, value in figures.items() if "turned" in name}
    assert nobody.items() <= figures.items(), "nobody was found in any image: all are themselves"


def test_turning_needs_meshes_of_what_is_evaluated(looked_at: SmallProject) -> None:
    looked_at.set(mesh_extract__splits=["val_query", "val_gallery"], evaluate__test_views=["mirror"])
    assert looked_at.run("mesh-extract", "--no-progress").code == 0
    assert looked_at.run("evaluate", "--no-progress").code == 0
    looked_at.set(evaluate__test_views=["turned"], mesh_extract__splits=list(SPLITS))
    assert "lacks 2 images" in refused(looked_at, "evaluate")
