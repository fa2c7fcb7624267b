"""`genreid generate`: a person from the other sides, and between two persons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stages.shared.options import Device


def generate(
    image: Annotated[Path, typer.Argument(help="An image of one person.")],
    other: Annotated[
        Path | None, typer.Argument(help="An image of another person, to mix the first with.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The picture to write (.png or .jpg).")
    ] = Path("generated.png"),
    device: Device = "auto",
) -> None:
    """Paint a person from seven other sides; with a second image, the persons between the two.

    The body in the image is estimated by the estimator of params.yaml (mesh_extract.estimator), turned and
    painted by the generator of joint training, or of its pretraining where there is no other. By default it
    has learnt nothing, and the pictures are warped from what the images show.

    Examples:

        genreid generate crops/0001.png

        genreid generate crops/0001.png crops/0002.png --output between.png
    """
    from stages.shared.run import Options, Project
    from stages.using.bodies import open_estimator_of_params
    from stages.using.checkpoint import warn_of_oracle
    from stages.using.pictures import check_picture, read_picture, write_picture

    project = Project.open(Options(device=device))
    check_picture(project, output, "generate")

    from genreid.deployment.pictures import views_picture
    from genreid.deployment.views import generate_views, mesh_views
    from genreid.evaluation.generation import Painter
    from genreid.models.checkpoint import load_encoder, load_generator, preprocessing_of
    from genreid.render.backend import choose_renderer
    from genreid.render.views import YAWS_DEG
    from pipeline.errors import PipelineError
    from stages.shared.body import open_body
    from stages.shared.data import read_checkpoint, read_manifest

    pictures = read_picture(image), read_picture(other) if other else None
    info = read_manifest(project).info
    keys = ("joint", "joint") if project.path("joint").exists() else ("generator", "encoder")
    for key in keys:
        if not project.path(key).exists():
            raise PipelineError(f"{getattr(project.paths, key)} is missing: run `dvc repro` first")
    where = ", ".join(dict.fromkeys(getattr(project.paths, key) for key in keys))
    project.console.print(f"checkpoint: {where}", markup=False)
    painting, seeing = (read_checkpoint(project, key) for key in keys)
    warn_of_oracle(project, *painting)
    prepared, other_prepared = preprocessing_of(*painting), preprocessing_of(*seeing)
    if prepared != other_prepared:
        raise PipelineError(
            f"{painting[1]} takes images of {prepared.size} pixels, and {seeing[1]} of "
            f"{other_prepared.size}: run `dvc repro`"
        )
    generator, _ = load_generator(*painting)
    encoder = load_encoder(*seeing)
    body = open_body(project.root, info.body)
    estimator = open_estimator_of_params(project, body)
    renderer = choose_renderer(project.params.value("render_views.backend"), project.device)
    painter = Painter(generator.to(project.device), encoder.to(project.device))
    with project.console.status("painting"):
        mesh = mesh_views(
            pictures[0],
            str(image),
            estimator,
            body,
            renderer,
            YAWS_DEG,
            prepared.size_px,
            repairs=generator.repairs,
            other=None if pictures[1] is None else (str(other), pictures[1]),
        )
        made = generate_views(painter, pictures[0], mesh, pictures[1])
    write_picture(output, views_picture(made))
    project.console.print(f"picture: {output}", markup=False)
