"""Same person or not: what `search` says of it, and the groups that `group` makes, on tiny networks."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image

from genreid.deployment.group_table import Groups, read_groups
from genreid.evaluation.matches import MatchCurve, Source
from pipeline.artifacts import read_torch, write_json_artifact, write_torch
from stages.using.group_picture import NUM_IMAGES, NUM_LARGEST, NUM_UNCERTAIN, shown
from tests.stages.small_project import SmallProject
from tests.stages.using.trained_project import crop, trained

__all__ = ["trained"]


def counted(rate: float, source: Source, num_zero: int = 2, way: str = "mirror") -> dict[str, Any]:
    """Of 10,000 pairs of each kind: different persons are as alike as anything above 0 in this share, and
    none is as alike as the last cuts, from 0.995; all pairs are missed."""
    rates = (1.0,) * 200 + (rate,) * (201 - num_zero) + (0.0,) * num_zero
    return {way: MatchCurve(source, 10_000, 10_000, rates, (1.0,) * 401).as_plain()}


def with_matches(trained: SmallProject, num_zero: int = 2, way: str = "mirror") -> str:
    """Give the joint checkpoint a curve of one way; its fingerprint."""
    path = trained.folder / "models" / "joint.pt"
    content = read_torch(path, "")
    content["encoder"]["matches"] = counted(0.004, "pseudo-identities", num_zero, way)
    write_torch(path, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_measured(trained: SmallProject, checkpoint: str) -> None:
    measured = trained.folder / "plots" / "evaluate" / "matches.json"
    measured.parent.mkdir(parents=True, exist_ok=True)
    content = {"checkpoint": checkpoint, "curves": counted(0.0, "identities")}
    write_json_artifact(measured, content)


def test_search_tells_how_often_others_are_as_alike(trained: SmallProject) -> None:
    fingerprint = with_matches(trained)
    assert trained.run("embed", "crops", "--views", "mirror").code == 0
    estimated = trained.run("search", "crops/0004.png")
    listed = re.findall(r"│ +([\d.]+) │ +(\D*1 in [\d,]+) │ \d{4}.png", estimated.out)
    assert len(listed) == 4 and len({odds for _, odds in listed}) == 2
    for similarity, odds in listed:
        assert odds == ("under 1 in 10,000" if float(similarity) >= 0.995 else "1 in 250")
    assert "at least as alike, estimated from pseudo-identities" in estimated.out
    write_measured(trained, "of another checkpoint")
    assert trained.run("search", "crops/0004.png").out == estimated.out
    write_measured(trained, fingerprint)
    measured = trained.run("search", "crops/0004.png")
    assert measured.out.count("under 1 in 10,000 │") == 4
    assert "at least as alike, measured on validation identities" in measured.out


def test_search_takes_a_cut_from_a_false_match_rate(trained: SmallProject) -> None:
    with_matches(trained)
    assert trained.run("embed", "crops", "--views", "mirror").code == 0
    found = trained.run("search", "crops/0004.png", "--at-false-match-rate", "0.01")
    assert found.code == 0 and found.out.count(".png │") == 4, "all are more alike than 0"
    itself = trained.run("search", "crops/0004.png", "--at-false-match-rate", "0.001")
    alike = [one for one in re.findall(r"│ +([01]\.\d{4}) │", found.out) if float(one) >= 0.995]
    assert 0 < itself.out.count(".png │") == len(alike) < 4 and "0004.png │" in itself.out
    with_matches(trained, num_zero=1)
    assert trained.run("embed", "crops", "--views", "mirror").code == 0
    Image.fromarray(crop(99)).save("other.png")
    nobody = trained.run("search", "other.png", "--at-false-match-rate", "0.001", "-p", "none.png")
    assert nobody.code == 0 and "nobody: no image of embeddings.parquet is as alike as 1.0000" in nobody.out
    assert not Path("none.png").exists()
    few = trained.run("search", "crops/0004.png", "--at-false-match-rate", "0.00001")
    assert few.code == 2 and "cannot be told by 10000 pairs" in few.err and few.err.count("\n") == 1
    assert trained.run("embed", "crops", "--views", "image").code == 0
    assert "false matches" not in trained.run("search", "crops/0004.png").out
    unknown = trained.run("search", "crops/0004.png", "--at-false-match-rate", "0.01")
    assert unknown.code == 2 and unknown.err.count("\n") == 1
    assert "nobody has counted the matches of models/joint.pt with --views image" in unknown.err


def groups(path: str = "groups.parquet") -> dict[str, tuple[Any, ...]]:
    table = pd.read_parquet(path).astype(object)
    table = table.where(table.notna(), None)
    return {str(row.path): (row.group, row.images, row.person, row.confidence) for row in table.itertuples()}


def test_group_says_whose_images_are_whose(trained: SmallProject) -> None:
    """All of a random network's embeddings are alike: a low cut makes one group, a high one a group an
    image."""
    outcome = trained.run("group", "crops", "--least-similarity", "-1")
    assert outcome.code == 0, outcome.err
    found = groups()
    assert found.pop("0003.png") == (None,) * 4, "which is no image"
    assert {one[:3] for one in found.values()} == {(0, 4, None)}
    assert min(Image.open("groups.png").size) > 100
    assert all(0 <= one[3] <= 1 for one in found.values())
    assert trained.run("group", "crops", "--least-similarity", "0.999999").code == 0
    assert sorted(one[:2] for one in groups().values() if one[0] is not None) == [(n, 1) for n in range(4)]


def test_group_obeys_and_keeps_corrections(trained: SmallProject) -> None:
    assert trained.run("embed", "crops").code == 0
    arguments = ("group", "embeddings.parquet", "--least-similarity", "-1")
    assert trained.run(*arguments).code == 0
    asked = Path("group_questions.csv").read_text().splitlines()
    assert asked[0].startswith("answer,one,other") and len(asked) > 1
    one, other = asked[1].split(",")[1:3]
    Path("group_questions.csv").write_text("\n".join([asked[0], "different" + asked[1], *asked[2:]]))
    kept = trained.run(*arguments)
    assert kept.code == 2 and "group_questions.csv" in kept.err and kept.err.count("\n") == 1
    assert trained.run(*arguments, "--corrections", "group_questions.csv").code == 0
    found = groups()
    assert found[one][0] != found[other][0]
    again = Path("group_questions.csv").read_text().splitlines()
    assert again[1].startswith(f"different,{one},{other}"), "an answer is not lost"
    Path("mine.csv").write_text("answer,one,other\nsame,0001.png,0003.png\n")
    outcome = trained.run(*arguments, "--corrections", "mine.csv", "--questions", "open.csv")
    assert outcome.code == 2 and "mine.csv:2: no readable image is called '0003.png'" in outcome.err


def test_group_knows_persons_of_a_gallery(trained: SmallProject) -> None:
    for person, number in (("anna", 1), ("bert", 2)):
        folder = trained.folder / "known" / person
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes((trained.folder / "crops" / f"{number:04d}.png").read_bytes())
    assert trained.run("embed", "known", "--output", "known.parquet").code == 0
    outcome = trained.run("group", "crops", "--gallery", "known.parquet", "--least-similarity", "0.99999")
    assert outcome.code == 0, outcome.err
    named = {path: one[2] for path, one in groups().items() if one[2]}
    assert named == {"0001.png": "anna", "0002.png": "bert"}
    nobody = trained.run(
        "group",
        "crops",
        "--gallery",
        "known.parquet",
        "--person-pattern",
        "(?P<person>x)",
        "--least-similarity",
        "0",
    )
    assert nobody.code == 2 and "finds nobody in anna/a.png" in nobody.err


def test_group_takes_its_cut_from_what_is_known_of_matches(trained: SmallProject) -> None:
    unknown = trained.run("group", "crops")
    assert unknown.code == 2 and unknown.err.count("\n") == 1
    assert "nobody has counted the matches of models/joint.pt with --views image" in unknown.err
    with_matches(trained)
    outcome = trained.run("group", "crops", "--views", "mirror")
    assert outcome.code == 0, outcome.err
    assert "pairs of strangers above the cut" in outcome.out
    assert "persons at a false match rate" in outcome.out
    likely = re.search(r"persons +│ (\d+) .*\n.*persons, likely +│ (\d+) to (\d+) ", outcome.out)
    assert likely and int(likely[2]) <= int(likely[1]) <= int(likely[3])
    outcome = trained.run("group", "crops", "--views", "mirror", "--at-false-match-rate", "0.005")
    assert outcome.code == 0, outcome.err
    assert re.search(r"cut \(cosine\) +│ 0 ", outcome.out), "the lowest with at most 0.5 %"
    assert "likely" not in outcome.out, "known of the cut that fits alone"


def test_new_images_join_groups(trained: SmallProject) -> None:
    """The same crops again are in the groups that they are in; a low cut makes one group of all."""
    assert trained.run("group", "crops", "--least-similarity", "0.999999").code == 0
    before = groups()
    folder = trained.folder / "more"
    folder.mkdir()
    for name in ("0001.png", "0002.png"):
        (folder / name).write_bytes((trained.folder / "crops" / name).read_bytes())
    outcome = trained.run("join", "more")
    assert outcome.code == 0, outcome.err
    assert read_groups(pq.read_table("groups.parquet"), "x").groups.cut == 0.999999
    after = groups()
    assert len(after) == len(before) + 2
    for name in ("0001.png", "0002.png"):
        assert after[str(folder / name)][:2] == (before[name][0], 2) == (after[name][0], 2)
    again = trained.run("join", "more", "--least-similarity", "0.9")
    assert again.code == 2 and "is in a group already" in again.err and again.err.count("\n") == 1
    assert groups() == after, "what was there is kept"
    assert trained.run("embed", "crops", "--output", "crops.parquet").code == 0
    wrong = trained.run("join", "more", "crops.parquet", "--least-similarity", "0.9", "-o", "new.parquet")
    assert wrong.code == 2 and "crops.parquet is no table" in wrong.err and wrong.err.count("\n") == 1


def test_images_that_are_gone_are_not_in_the_picture_of_groups(trained: SmallProject) -> None:
    crops = trained.folder / "crops"
    wrong = trained.run("group", "crops", "--least-similarity", "-1", "--picture", "groups.txt")
    assert wrong.code == 2 and "a picture's name ends in" in wrong.err
    assert trained.run("embed", "crops").code == 0
    (crops / "0001.png").unlink()
    outcome = trained.run("group", "embeddings.parquet", "--least-similarity", "-1")
    assert outcome.code == 0, outcome.err
    assert f"groups.png is without images: 0001.png cannot be read in {crops}" in outcome.out
    assert Path("groups.png").exists() and len(groups()) == 5
    Path("groups.png").unlink()
    for path in crops.glob("*.png"):
        path.unlink()
    outcome = trained.run("group", "embeddings.parquet", "--least-similarity", "-1")
    assert outcome.code == 0 and "no picture: 0001.png, 0002.png, 0004.png and 1 more cannot" in outcome.out
    assert not Path("groups.png").exists() and len(groups()) == 5


def test_the_largest_groups_and_the_least_certain_are_shown() -> None:
    group = np.repeat(np.arange(40), [30, *[2] * 38, 1])
    confidence = np.linspace(0.9, 0.5, len(group))
    lines = list(shown(Groups(group, ["anna"] * 30 + [None] * 77, confidence, 0.5)))
    assert len(lines) == NUM_LARGEST + NUM_UNCERTAIN
    assert lines[0][0] == "group 0 anna, 30 images" and len(lines[0][1]) == NUM_IMAGES
    assert lines[0][1][0] == 0 and lines[0][1][-1] == 29, "from the surest to the least sure"
    assert lines[NUM_LARGEST][0] == "uncertain: group 38, 2 images"
    assert len({name.removeprefix("uncertain: ") for name, _ in lines}) == len(lines)
