"""Each stage asks for what it uses and for nothing else, and says what it goes without."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace as Settings
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genreid.data.manifest import SPLITS
from genreid.evaluation import report
from genreid.models.checkpoint import joint_checkpoint
from genreid.models.initialisation import build_encoder
from pipeline.artifacts import write_table, write_torch
from stages.mesh_extract import inputs_of as inputs_of_meshes
from stages.pretrain_encoder import inputs_of as inputs_of_warm_up
from stages.pretrain_generator import inputs_of as inputs_of_generator
from stages.shared.view_tables import UNMEASURED
from stages.train_joint import inputs_of as inputs_of_joint
from tests.genreid.training.conftest import ENCODER
from tests.stages.odd_project import PREPARED, refused
from tests.stages.small_project import Outcome, SmallProject
from tests.stages.test_wiring import painters, project, share_out

__all__ = ["project"]


def take_away(project: SmallProject, *names: str) -> None:
    for name in names:
        path = project.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def evaluated(project: SmallProject) -> Outcome:
    outcome = project.run("evaluate", "--no-progress")
    assert outcome.code == 0, outcome.err
    return outcome


def retrieval_of(project: SmallProject) -> dict[str, object]:
    other = ("views", "backgrounds", "colours")
    return {name: value for name, value in project.metrics().items() if not name.startswith(other)}


def test_queries_without_views_are_ranked_all_the_same(project: SmallProject) -> None:
    share_out(project, "query", "gallery")
    project.set(evaluate__test_views=["mirror"])
    evaluated(project)
    whole = retrieval_of(project)
    assert "joint" in whole and "views" in project.metrics()
    project.set(mesh_extract__estimator="mean_pose", mesh_extract__splits=["train"])
    project.set(render_views__splits=["train"])
    for stage in ("mesh-extract", "render-views"):
        assert project.run(stage, "--no-progress").code == 0

    outcome = evaluated(project)
    assert retrieval_of(project) == whole, "the ranking is the same to the last digit"
    reason = (
        "none of 4 queries has a view in data/views: for them, render_views.splits needs query, and "
        "mesh-extract has to find their bodies"
    )
    assert project.metrics()["views_unjudged"] == reason and "views" not in project.metrics()
    assert not any(name.startswith(("backgrounds", "colours")) for name in project.metrics())
    for said in (outcome.out, project.run("summary").out):
        assert "Retrieval (%)" in said and f"Generated views were not judged: {reason}." in said
    plots = project.folder / "plots" / "evaluate"
    assert json.loads((plots / "cmc.json").read_text()) and not (plots / "views.png").exists()
    assert json.loads((plots / "identity_kept.json").read_text()) == [], "what dvc.yaml draws is there"


@pytest.mark.parametrize("paints", ["codes", "views"])
def test_evaluation_asks_for_views_meshes_and_truth_for_what_they_are_good_for(
    project: SmallProject, paints: str
) -> None:
    share_out(project, "query", "gallery")
    project.set(evaluate__test_views=["mirror"])
    networks = build_encoder(ENCODER, 3), *painters(3, paints)  # type: ignore[arg-type]
    write_torch(project.folder / "models" / "joint.pt", joint_checkpoint(*networks, PREPARED))
    take_away(project, "data/truth.parquet", "data/mesh")
    outcome = evaluated(project)
    assert (
        "data/truth.parquet is missing, so nothing is held against it: run `dvc repro prepare-" in outcome.out
    )
    # A generator of codes is shown drawn meshes alone, one that repairs warps what the image shows.
    unjudged = project.metrics().get("views_unjudged")
    missing = "data/mesh is missing: run `dvc repro mesh-extract`"
    assert unjudged == (None if paints == "codes" else missing)
    for name, line in UNMEASURED.items():
        reason = project.metrics().get(f"{name}_unmeasured")
        assert reason == (missing if paints == "codes" else None)
        assert (f"{line}: {missing}." in outcome.out) == (paints == "codes")
    take_away(project, "data/views")
    evaluated(project)
    assert project.metrics()["views_unjudged"] == "data/views is missing: run `dvc repro render-views`"
    assert "joint" in project.metrics()


def test_backgrounds_and_colours_need_the_bodies_of_queries_and_take_those_of_the_gallery(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    share_out(project, "query", "gallery")
    project.set(evaluate__test_views=["mirror"])
    project.set(mesh_extract__estimator="mean_pose")
    for stage in ("mesh-extract", "render-views"):
        assert project.run(stage, "--no-progress").code == 0
    given, judges = list[Any](), report.judge

    def judge(*arguments: Any, bodies: Any, **others: Any) -> Any:
        given.append(bodies)
        return judges(*arguments, bodies=bodies, **others)

    monkeypatch.setattr("genreid.evaluation.report.judge", judge)
    outcome, found = evaluated(project), project.metrics()
    assert {"outline_mAP", "chance_mAP"} <= set(found["backgrounds"])
    assert "(chance)" in outcome.out
    # Everybody of the fixture looks one way.
    reason = "none of 4 queries has an image of its identity that looks another way"
    assert found["colours_unmeasured"] == reason
    assert len(given[0].queries.has_body) == len(given[0].gallery.has_body) == 4
    path = project.folder / "data" / "mesh" / "part-00000.parquet"
    whole = pq.read_table(path)
    splits = dict(
        zip(*(manifest_of(project)[name].to_pylist() for name in ("image_id", "split")), strict=True)
    )
    for lost in ("gallery", "query"):
        keep = [splits[image_id] != lost for image_id in whole["image_id"].to_pylist()]
        write_table(path, whole.filter(pa.array(keep)))
        evaluated(project)
        metrics = project.metrics()
        if lost == "gallery":
            assert metrics["backgrounds"] == found["backgrounds"]
            assert given[-1].gallery is None
        else:
            reason = "data/mesh lacks 4 queries ("
            assert metrics["backgrounds_unmeasured"].startswith(reason)
            assert metrics["colours_unmeasured"].endswith("mesh_extract.splits needs query")


def manifest_of(project: SmallProject) -> pa.Table:
    return pq.read_table(project.folder / "data" / "manifest.parquet")


def test_views_that_are_damaged_are_no_views_that_are_missing(project: SmallProject) -> None:
    share_out(project, "query", "gallery")
    project.set(evaluate__test_views=["mirror"])
    path = project.folder / "data" / "views" / "part-00000.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    assert "dvc repro --force render-views" in refused(project, "evaluate")
    path.unlink()
    assert refused(project, "evaluate").startswith("data/views holds no shard; ")


def test_persons_that_cannot_be_turned_are_told_of_before_anything_is_embedded(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    share_out(project, "query", "gallery")
    project.set(mesh_extract__estimator="mean_pose", mesh_extract__splits=["train"])
    assert project.run("mesh-extract", "--no-progress").code == 0
    # Told now that all have meshes, by somebody who has not run that stage again.
    project.set(evaluate__test_views=["mirror", "turned"], mesh_extract__splits=list(SPLITS))

    def embed(*given: object) -> None:
        raise AssertionError("it embeds first")

    monkeypatch.setattr("stages.shared.looking.embed_pair", embed)
    assert "data/mesh lacks 4 images" in refused(project, "evaluate")


def test_an_estimator_asks_for_nothing_of_another(project: SmallProject) -> None:
    take_away(project, "models", "data/truth.parquet", "data/mesh", "data/views")
    project.set(mesh_extract__estimator="mean_pose", mesh_extract__splits=["train"])
    outcome = project.run("mesh-extract", "--no-progress")
    assert outcome.code == 0, outcome.err
    assert "data/truth.parquet is missing, so no estimate is held against it" in outcome.out
    for estimator, expected in (
        ("regressor", "models/regressor.pt is missing: run `dvc repro fit-regressor` first"),
        ("ground_truth", "data/truth.parquet is missing: run `dvc repro prepare-data` first"),
    ):
        project.set(mesh_extract__estimator=estimator)
        assert refused(project, "mesh-extract") == expected


def test_an_encoder_from_elsewhere_asks_for_no_image(project: SmallProject) -> None:
    """The manifest alone, which says how pictures are prepared."""
    take_away(project, "data/images")
    project.set(pretrain_encoder__import_from={"path": "nowhere.pth", "layout": "auto"})
    assert "nowhere.pth: no such file; " in refused(project, "pretrain-encoder")


def test_what_each_stage_reads_follows_its_settings() -> None:
    def of(inputs_of: Any, **settings: Any) -> set[str]:
        return set(inputs_of(Settings(**settings)))

    joint = {"manifest", "images", "encoder", "generator", "views"}
    shown: dict[str, Any] = dict.fromkeys(("wants_true_views", "warps", "paints", "pastes"), False)
    assert of(inputs_of_joint, **shown) == joint
    assert of(inputs_of_joint, **shown | {"warps": True}) == joint | {"mesh"}
    assert of(inputs_of_joint, **shown | {"paints": True}) == joint | {"mesh"}, "the generator may repair"
    assert of(inputs_of_joint, **shown | {"pastes": True}) == joint | {"mesh"}, "for the masks"
    assert of(inputs_of_joint, **shown | {"wants_true_views": True}) == joint | {"truth"}
    generator = {"manifest", "images", "encoder", "views"}
    for paints, same_person, own in (
        ("codes", 0.0, set()),
        ("codes", 5.0, {"mesh"}),
        ("views", 0.0, {"mesh"}),
    ):
        shown = {"generator": Settings(paints=paints), "generation": Settings(same_person=same_person)}
        assert of(inputs_of_generator, **shown) == generator | own
    assert of(inputs_of_warm_up, import_from=None) == {"manifest", "images"}
    assert of(inputs_of_warm_up, import_from=object()) == {"manifest"}
    for estimator, own in (("romp", set()), ("mean_pose", set()), ("ground_truth", {"truth"})):
        assert of(inputs_of_meshes, estimator=estimator) == {"manifest", "images"} | own
