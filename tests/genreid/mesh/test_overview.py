"""What is told of meshes without a truth, and the sheet that shows them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from genreid.body.body import Body
from genreid.body.rotations import heading_deg
from genreid.mesh.accuracy import silhouettes
from genreid.mesh.overview import headings, mask_ious, overview
from genreid.mesh.shards import MeshEstimates, encode_mask
from genreid.mesh.sheet import NUM_SHOWN, choose_rows, mesh_sheet, overlay
from genreid.render.backend import choose_renderer

SIZE = np.full(8, 128), np.full(8, 64)


def test_shares_and_scores(body: Body, people: MeshEstimates) -> None:
    rows = MeshEstimates.without_mesh(["no_person"] * 2 + ["ok"] * 6)
    found = rows.fill(np.arange(2, 8), people.select(np.arange(2, 8)))
    found = replace(found, score=np.array([0, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], np.float32))
    facts = overview(found, body, *SIZE)
    assert facts["ok"] == "6 (75.0 %)" and facts["no_person"] == "2 (25.0 %)" and "failed" not in facts
    assert facts["scores (5th, 50th, 95th percentile)"] == "0.125, 0.35, 0.575"
    assert not any("overlap" in name for name in facts), "there is no mask"


def test_headings_fall_into_sectors_around_the_camera(people: MeshEstimates) -> None:
    lines = headings(people)
    assert list(lines) == ["-135°", "-90°", "-45°", "+0°", "+45°", "+90°", "+135°", "+180°"]
    shares = {name: float(line.partition("%")[0]) for name, line in lines.items()}
    assert sum(shares.values()) == pytest.approx(100, abs=0.5)
    expected = dict.fromkeys(lines, 0)
    for angle in heading_deg(people.parameters.global_orient).tolist():
        nearest = min((-135, -90, -45, 0, 45, 90, 135, 180), key=lambda s: abs((angle - s + 180) % 360 - 180))
        expected[f"{nearest:+d}°"] += 1
    assert shares == pytest.approx({name: 12.5 * count for name, count in expected.items()})
    longest = max(lines.values(), key=len)
    assert longest.count("█") == 30


def test_fallen_back_bodies_have_no_heading_of_their_own(people: MeshEstimates) -> None:
    found = replace(people, status=["fallback"] * 7 + ["ok"])
    assert sum(line.count("█") > 0 for line in headings(found).values()) == 1
    assert headings(MeshEstimates.without_mesh(["failed"]))["+0°"].strip() == "0.0 %"


def test_the_overlap_is_that_of_body_and_mask(body: Body, people: MeshEstimates) -> None:
    drawn = silhouettes(people, body, *SIZE)
    masks = [encode_mask(np.where(covered, 255, 0).astype(np.uint8)) for covered in drawn]
    whole = encode_mask(np.full((128, 64), 255, np.uint8))
    found = replace(people, masks=[*masks[:6], whole, None])
    ious = mask_ious(found, body, *SIZE)
    assert len(ious) == 7
    np.testing.assert_allclose(ious[:6], 1.0)
    assert ious[6] == pytest.approx(drawn[6].mean())
    assert overview(found, body, *SIZE)["body and mask overlap (median IoU of 7)"] == 1.0


def test_a_sheet_shows_crop_body_and_turns(body: Body, people: MeshEstimates) -> None:
    crop = np.full((128, 64, 3), (10, 200, 30), np.uint8)
    sheet = mesh_sheet(people, lambda row: crop, body, choose_renderer("zbuffer", torch.device("cpu")))
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    greens = (np.abs(sheet.astype(int) - [10, 200, 30]).max(axis=2) <= 2).sum()
    shown = 8 * 2 * 160 * 80  # crop and body laid over it, each enlarged by 1.25
    assert 0.6 * shown < greens < shown
    nobody = mesh_sheet(
        MeshEstimates.without_mesh(["failed"]),
        lambda row: crop,
        body,
        choose_renderer("zbuffer", torch.device("cpu")),
    )
    assert nobody.shape[2] == 3


def test_of_many_images_some_are_shown_spread_evenly(people: MeshEstimates) -> None:
    many = people.select(np.arange(800) % 8)
    rows = choose_rows(replace(many, status=["fallback"] * 400 + ["ok"] * 400))
    assert len(rows) == NUM_SHOWN and rows[0] == 0 and rows[-1] == 799 and (np.diff(rows) > 20).all()


def test_a_body_laid_over_leaves_the_rest_as_it_is() -> None:
    crop, view = np.full((4, 4, 3), 100, np.uint8), np.zeros((4, 4), np.uint8)
    view[1, 2] = 255
    laid = overlay(crop, view)
    assert laid[1, 2].tolist() == [193, 130, 64]  # 0.4 · 100 + 0.6 · (255, 150, 40)
    laid[1, 2] = 100
    assert np.array_equal(laid, crop)
