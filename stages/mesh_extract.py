"""`mesh-extract`: the body of the person in every image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.shared.options import Device, Engine, Fresh, On, ShowProgress, Workers
from stages.shared.run import Options, open_stage

if TYPE_CHECKING:
    from stages.shared.settings.mesh_extract import MeshExtractSettings

_IMAGES_PER_PIECE = 64
_ROWS_PER_GROUP = 256


def mesh_extract(
    fresh: Fresh = False,
    device: Device = "auto",
    workers: Workers = 0,
    on: On = Engine.local,
    progress: ShowProgress = True,
) -> None:
    """Estimate pose, shape and camera of the body in every image; each image gets a row and a status."""
    from genreid.mesh.accuracy_table import accuracy_table
    from genreid.mesh.blazepose.network import available_runner
    from genreid.mesh.overview import headings, overview
    from genreid.mesh.sheet import mesh_sheet
    from genreid.render.backend import choose_renderer
    from pipeline.artifacts import atomic_directory, write_bytes
    from pipeline.pictures import png
    from stages.shared.body import open_body
    from stages.shared.data import image_set, read_manifest, truth_if_there
    from stages.shared.estimation import finishing, open_maker
    from stages.shared.meshes import read_mesh
    from stages.shared.romp import hold_files
    from stages.shared.settings.mesh_extract import MeshExtractSettings
    from stages.shared.shards import plan_shards, write_shards

    options = Options(fresh, device, workers, progress, on=on)
    optional = ("truth",)
    with open_stage("mesh-extract", options, MeshExtractSettings, inputs=inputs_of, optional=optional) as run:
        settings = run.settings
        if settings.estimator == "romp":
            hold_files(run)
        if settings.estimator == "blazepose":
            run.facts["runner"] = available_runner()
        manifest = read_manifest(run).select(*settings.splits)
        body = open_body(run.root, manifest.info.body)
        truth = truth_if_there(run, "no estimate is held against it")
        with open_maker(run, settings, manifest, truth) as (make, num_threads):
            write_shards(
                run,
                "mesh",
                plan_shards(len(manifest), _IMAGES_PER_PIECE, settings.images_per_shard),
                make,
                "estimating meshes",
                num_threads=num_threads,
                finish=finishing(settings, body.fingerprint),
                row_group_size=_ROWS_PER_GROUP,
            )

        found = read_mesh(run, manifest, body)
        with atomic_directory(run.plots) as folder:
            renderer = choose_renderer("zbuffer", run.device)
            sheet = mesh_sheet(found, image_set(run, manifest).load_native, body, renderer)
            write_bytes(folder / "contact_sheet.png", png(sheet))
        facts = overview(found, body, manifest.height, manifest.width)
        run.show("Meshes", {"images": len(manifest), **facts})
        run.show("Headings (0 faces the camera)", headings(found))
        if truth.num_rows:
            run.show_table("Against the truth", *accuracy_table(found, truth, manifest, body))


def inputs_of(settings: MeshExtractSettings) -> tuple[str, ...]:
    """What its estimator looks at. dvc.yaml has the regressor for every one: its dependencies are fixed."""
    own = {"regressor": ("regressor",), "ground_truth": ("truth",)}
    return ("manifest", "images", *own.get(settings.estimator, ()))
