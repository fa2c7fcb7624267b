"""The commands that use what was trained, on tiny networks; and those that the documentation shows."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from genreid.data.manifest import Manifest
from pipeline.artifacts import read_table, read_torch, write_json_artifact, write_table, write_torch
from pipeline.params import load_params
from pipeline.recipes import recipe_names
from stages.shared.results import ENCODERS, FIGURES
from tests.genreid.data.datasets.trees import write_images
from tests.stages.doctor.places import make_repository
from tests.stages.small_project import ROOT, SmallProject
from tests.stages.starting.crops_made import market_names
from tests.stages.using.test_matching import with_matches
from tests.stages.using.trained_project import HEIGHT_PX, NUM_CROPS, WIDTH_PX, embedding, trained

__all__ = ["trained"]

DOCUMENT, README = ROOT / "docs" / "using_a_model.md", ROOT / "README.md"
FIRST_RUN = ROOT / "docs" / "first_run.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
"""Those whose lines tell of settings, recipes and targets."""
USING = ("report", "embed", "search", "group", "join", "gallery", "generate", "export", "doctor")
METRICS = {name: dict.fromkeys(FIGURES, 50.0) for name in ENCODERS} | {"views_unjudged": "none was made"}
"""What a page of `genreid report` needs of a run at least."""


def blocks(language: str, document: Path) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)


def documented_commands(document: Path) -> list[list[str]]:
    """The words of each command that a document shows, without what is said beside it."""
    lines = [line for block in blocks("console", document) for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if line.startswith("$ ")]


def needs_lance(arguments: list[str]) -> bool:
    """Whether a command asks for a database that is not installed here."""
    return any("lance:" in one for one in arguments) and find_spec("lancedb") is None


@pytest.mark.slow
def test_the_commands_and_programs_of_the_documentation_run(trained: SmallProject) -> None:
    make_repository(trained.folder)
    with_matches(trained, way="image")
    write_json_artifact(trained.folder / "metrics.json", METRICS)
    commands = documented_commands(DOCUMENT)
    assert {command[1] for command in commands} >= set(USING)
    for program, *arguments in commands:
        if arguments[:2] == ["models", "get"] or needs_lance(arguments):
            continue  # the first asks the network: see test_models.py
        outcome = trained.run(*arguments)
        assert program == "genreid" and outcome.code == 0, f"{arguments}: {outcome.err}"
    for name in ("search.png", "generated.png", "between.png"):
        assert min(Image.open(trained.folder / name).size) > 100, name
    values: dict[str, object] = {}
    for block in blocks("python", DOCUMENT):
        exec(compile(block, str(DOCUMENT), "exec"), values)
    # the last program prepared the image by hand and ran the exported file
    embedded = pd.read_parquet("embeddings.parquet").set_index("path").embedding["0001.png"]
    np.testing.assert_allclose(values["embedding"][0], embedded, atol=1e-4)  # type: ignore[index]


@pytest.mark.slow
def test_the_commands_of_the_readme_run(trained: SmallProject) -> None:
    """Those of `genreid` here; what `make` and `dvc` are told is run by the tests of both."""
    make_repository(trained.folder)
    with_matches(trained, way="image")
    write_json_artifact(trained.folder / "metrics.json", METRICS)
    crops = str(trained.folder / "many")
    write_images(Path(crops), market_names(60, 2, 1))
    commands = documented_commands(README)
    ours = [command[1:] for command in commands if command[0] == "genreid"]
    assert {command[0] for command in ours} >= {*USING} - {"gallery"}
    for arguments in ours:
        if needs_lance(arguments):
            continue
        outcome = trained.run(*(crops if argument == "/data/crops" else argument for argument in arguments))
        assert outcome.code == 0, f"{arguments}: {outcome.err}"
    assert pq.read_table("embeddings.parquet").num_rows == NUM_CROPS
    for name in ("search.png", "generated.png"):
        assert min(Image.open(trained.folder / name).size) > 100, name
    assert Path("report.html").read_text().count("<section") > 3
    assert Path("encoder.onnx").stat().st_size > 1000


@pytest.mark.slow
def test_the_commands_of_the_first_run_run(trained: SmallProject) -> None:
    """On five crops in the place of the benchmark's images."""
    make_repository(trained.folder)
    with_matches(trained, way="image")
    write_json_artifact(trained.folder / "metrics.json", METRICS)
    for split in ("gallery", "query"):
        shutil.copytree(trained.folder / "crops", trained.folder / "data" / "images" / split)
    query = trained.folder / "data" / "images" / "query"
    shutil.copy(query / "0001.png", query / "0131_c1_001.png")
    ours = [command[1:] for command in documented_commands(FIRST_RUN) if command[0] == "genreid"]
    assert {command[0] for command in ours} >= {"summary", "report", "embed", "search", "group", "generate"}
    for arguments in ours:
        outcome = trained.run(*arguments)
        assert outcome.code == 0, f"{arguments}: {outcome.err}"
    told = FIRST_RUN.read_text(encoding="utf-8")
    for name in (
        "report.html",
        "embeddings.parquet",
        "search.png",
        "groups.parquet",
        "groups.png",
        "generated.png",
    ):
        assert name in told and (trained.folder / name).stat().st_size > 100, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_pages_tell_make_and_dvc_is_there(page: Path) -> None:
    params, targets = load_params(ROOT / "params.yaml"), (ROOT / "Makefile").read_text()
    for program, *arguments in documented_commands(page):
        for word in arguments if program == "dvc" else []:
            if "=" in word:
                params.value(word.strip("\"'").partition("=")[0])  # raises where there is no such key
        if arguments[2:4] == ["$(genreid", "overrides"]:
            assert arguments[4].rstrip(")") in recipe_names(ROOT / "recipes")
        if program == "make":
            assert re.search(rf"^{arguments[0]}:", targets, re.MULTILINE), arguments


def test_embed_writes_a_row_for_every_image(trained: SmallProject) -> None:
    outcome = trained.run("embed", "crops", "--batch-size", "2")
    assert outcome.code == 0, outcome.err
    assert "checkpoint: models/joint.pt, of joint training" in outcome.out
    table = pq.read_table("embeddings.parquet").to_pandas().set_index("path")
    assert list(table.index) == [f"{number:04d}.png" for number in range(1, NUM_CROPS + 1)]
    assert list(table.status) == ["ok", "ok", "unreadable", "ok", "ok"]
    assert table.embedding["0003.png"] is None and table.detail["0003.png"] == "not a readable image"
    assert (table.height["0001.png"], table.width["0001.png"]) == (48, 24)
    for number in (1, 2, 4, 5):
        expected = embedding(trained.folder, "joint.pt", number)
        np.testing.assert_allclose(table.embedding[f"{number:04d}.png"], expected, atol=1e-6)
    assert not list(trained.folder.glob(".*.tmp"))


def test_without_a_joint_encoder_the_warm_up_one_is_taken(trained: SmallProject) -> None:
    (trained.folder / "models" / "joint.pt").unlink()
    outcome = trained.run("embed", "crops", "-o", "out/warm_up.parquet")
    assert "checkpoint: models/encoder.pt, of the warm-up" in outcome.out
    first = pq.read_table("out/warm_up.parquet").to_pandas().embedding[0]
    np.testing.assert_allclose(first, embedding(trained.folder, "encoder.pt", 1), atol=1e-6)


def test_search_finds_the_image_itself_first(trained: SmallProject) -> None:
    assert trained.run("embed", "crops", "--checkpoint", "encoder").code == 0
    outcome = trained.run("search", "crops/0004.png", "-k", "3", "--picture", "found.jpg")
    assert outcome.code == 0, outcome.err
    assert "checkpoint: models/encoder.pt" in outcome.out
    rows = [line.split("│")[1:4] for line in outcome.out.splitlines() if line.startswith("│")]
    found = [(int(rank), float(cosine), path.strip()) for rank, cosine, path in rows]
    assert found[0] == (1, 1.0, "0004.png") and len(found) == 3
    own = embedding(trained.folder, "encoder.pt", 4)
    cosines = {f"{n:04d}.png": embedding(trained.folder, "encoder.pt", n) @ own for n in (1, 2, 4, 5)}
    assert [path for _, _, path in found] == sorted(cosines, key=lambda path: -cosines[path])[:3]
    for _, cosine, path in found:
        assert cosine == pytest.approx(cosines[path], abs=6e-5)
    assert Image.open("found.jpg").format == "JPEG"


def test_a_gallery_whose_images_are_gone_is_still_listed(trained: SmallProject) -> None:
    assert trained.run("embed", "crops").code == 0
    (trained.folder / "crops").rename("moved")
    outcome = trained.run("search", "moved/0001.png")
    assert outcome.code == 2 and "│ 0001.png │" in outcome.out
    assert "crops/0001.png: No such file or directory); embed the folder again" in outcome.err


def test_a_gallery_of_other_weights_is_refused(trained: SmallProject) -> None:
    assert trained.run("embed", "crops").code == 0
    outcome = trained.run("search", "crops/0001.png", "--checkpoint", "encoder")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert "embedded by other weights than models/encoder.pt holds now" in outcome.err


def test_generate_says_what_the_body_is_good_for(trained: SmallProject) -> None:
    outcome = trained.run("generate", "crops/0001.png")
    assert outcome.code == 0, outcome.err
    assert "checkpoint: models/joint.pt\n" in outcome.out
    assert "body by: regressor, fitted on synthetic persons" in outcome.out
    single = Image.open("generated.png").size
    (trained.folder / "models" / "joint.pt").unlink()
    trained.set(mesh_extract__estimator="ground_truth")  # which knows no bodies of other images
    outcome = trained.run("generate", "crops/0001.png", "crops/0002.png")
    assert "checkpoint: models/generator.pt, models/encoder.pt\n" in outcome.out
    assert "body by: regressor" in outcome.out
    assert Image.open("generated.png").size[1] > single[1], "the mixtures are below"


def test_without_a_regressor_no_body_can_be_estimated(trained: SmallProject) -> None:
    (trained.folder / "models" / "regressor.pt").unlink()
    outcome = trained.run("generate", "crops/0001.png")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert outcome.err.startswith("error: no body can be estimated in an image: ")
    assert "models/regressor.pt: no readable checkpoint" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embed", "nowhere"), "nowhere: no such folder"),
        (("embed", "models"), "models holds no image"),
        (
            ("embed", "crops", "-c", "models/regressor.pt"),
            "models/regressor.pt: expected a checkpoint",
        ),
        (("embed", "crops", "-c", "none.pt"), "none.pt: no readable checkpoint"),
        (("search", "crops/0001.png"), "embeddings.parquet: no readable Parquet file"),
        (("search", "crops/0001.png", "-g", "data/manifest.parquet"), "it is no table of embeddings"),
        (("search", "crops/0009.png"), "crops/0009.png: no such file"),
        (("search", "crops"), "crops is a folder; name an image in it"),
        (("embed", "crops", "--camera-pattern", "("), "'(' is no regular expression"),
        (("embed", "crops", "--camera-pattern", "c1"), "'c1' has no group `camera`"),
        (("embed", "crops", "--camera-pattern", "(?P<camera>c1)"), "finds no camera in any of 5 paths"),
        (("embed", "crops", "--time-pattern", "(?P<time>1)"), "'1' in 0001.png is no time"),
        (
            ("search", "crops/0001.png", "--after", "monday"),
            "--after: 'monday' is no time: write one such as",
        ),
        (
            ("search", "crops/0001.png", "-g", "lance:"),
            "lance:: name the folder of the database: lance:FOLDER",
        ),
        (("gallery", "delete", "embeddings.parquet"), "embeddings.parquet is a file: embed its folder again"),
        (("embed", "crops", "-o", "crops"), "crops is a folder; name a file"),
        (("export", "-o", "/dev/null"), "/dev/null is no ordinary file; name a file"),
        (("generate", "crops/0001.png", "-o", "params.yaml/views.png"), "nothing can be written in"),
        (
            ("embed", "crops", "-c", "params.yaml"),
            "params.yaml cannot be read (",
        ),
        (("generate", "crops/0003.png"), "crops/0003.png: not a readable image"),
        (("generate", "crops/0001.png", "-o", "views.gif"), "views.gif: a picture's name ends in .png, .jpg"),
    ],
)
def test_mistakes_are_told_in_one_line(
    trained: SmallProject, arguments: tuple[str, ...], message: str
) -> None:
    outcome = trained.run(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ") and outcome.err.count("\n") == 1, outcome.err
    assert message in outcome.err


def test_without_any_checkpoint_the_error_says_what_to_run(trained: SmallProject) -> None:
    for file in (trained.folder / "models").iterdir():
        file.unlink()
    for arguments in (("embed", "crops"), ("export",), ("generate", "crops/0001.png")):
        outcome = trained.run(*arguments)
        assert outcome.code == 2 and "dvc repro" in outcome.err and outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    "command", ["embed", "search", "gallery show", "gallery delete", "generate", "export", "doctor"]
)
def test_help_has_examples(small: SmallProject, command: str) -> None:
    outcome = small.run(*command.split(), "--help")
    assert outcome.code == 0 and "Examples:" in outcome.out and f"genreid {command}" in outcome.out


def test_checkpoints_complete(trained: SmallProject) -> None:
    from stages.using.checkpoint import _complete_checkpoint

    assert _complete_checkpoint("") == [
        "joint",
        "encoder",
        *(f"models/{name}.pt" for name in ("encoder", "generator", "joint", "regressor")),
    ]
    assert _complete_checkpoint("jo") == ["joint"]


def test_the_size_is_the_checkpoints_whatever_the_manifest_says(trained: SmallProject) -> None:
    assert trained.run("embed", "crops").code == 0
    before = Path("embeddings.parquet").read_bytes()
    path = trained.folder / "data" / "manifest.parquet"
    made = Manifest.from_table(read_table(path, "never"))
    write_table(path, Manifest(replace(made.info, height_px=96, width_px=48), made.table).to_table())
    assert trained.run("embed", "crops", "-o", "again.parquet").code == 0
    assert Path("again.parquet").read_bytes() == before
    found = trained.run("search", "crops/0001.png", "-k", "1")
    assert found.code == 0 and "1.0000 │ 0001.png" in found.out
    assert trained.run("export").code == 0
    shape = onnx.load("encoder.onnx").graph.input[0].type.tensor_type.shape.dim
    assert [one.dim_value for one in shape[1:]] == [3, HEIGHT_PX, WIDTH_PX]
    path.unlink()
    assert trained.run("embed", "crops", "-o", "again.parquet").code == 0, "it needs no manifest"


def test_two_checkpoints_of_two_sizes_paint_nothing(trained: SmallProject) -> None:
    (trained.folder / "models" / "joint.pt").unlink()
    path = trained.folder / "models" / "generator.pt"
    content = read_torch(path, "never")
    content["preprocessing"]["height_px"] = 64
    write_torch(path, content)
    outcome = trained.run("generate", "crops/0001.png")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert (
        "models/generator.pt takes images of 64 × 16 pixels, and models/encoder.pt of 32 × 16" in outcome.err
    )


@pytest.mark.parametrize("command", ["embed", "generate", "export"])
def test_what_an_oracle_taught_is_told_and_not_exported(trained: SmallProject, command: str) -> None:
    path = trained.folder / "models" / "joint.pt"
    write_torch(path, read_torch(path, "never") | {"oracle": "true_labels"})
    arguments = {"embed": ["crops"], "generate": ["crops/0001.png"], "export": []}[command]
    outcome = trained.run(command, *arguments)
    told = "models/joint.pt: it learnt from an oracle (true_labels)"
    assert f"warning: {told}" in outcome.out
    if command != "export":
        assert outcome.code == 0, outcome.err
        return
    assert outcome.code == 2 and outcome.err.startswith(f"error: {told}") and outcome.err.count("\n") == 1
    assert "or name another by --checkpoint" in outcome.err and not Path("encoder.onnx").exists()


def test_a_checkpoint_that_is_something_else_is_told_as_what_it_is(trained: SmallProject) -> None:
    (trained.folder / "mine.pt").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    )
    for named, what in (("mine.pt", "a pointer of Git LFS"), ("models", "a folder: name a file in it")):
        done = trained.run("embed", "crops", "--checkpoint", named)
        assert done.code == 2 and done.err.count("\n") == 1
        assert f"error: --checkpoint: {trained.folder}/{named} is {what}" in done.err
