"""`genreid generate`: a person from the other sides, and between two persons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.options import Device

if TYPE_CHECKING:
    import numpy as np

    from genreid.deployment.views import GeneratedSet
    from genreid.models.encoder import IdentityEncoder
    from genreid.models.generator import Generator
    from stages.shared.run import Project


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
    from stages.using.pictures import check_picture, read_picture, write_picture

    project = Project.open(Options(device=device))
    check_picture(project, output, "generate")

    from genreid.deployment.pictures import views_picture

    names = [str(image)] if other is None else [str(image), str(other)]
    pictures = [read_picture(Path(name)) for name in names]
    write_picture(output, views_picture(_made(project, names, pictures)))
    project.console.print(f"picture: {output}", markup=False)


def _made(project: Project, names: Sequence[str], pictures: Sequence[np.ndarray]) -> GeneratedSet:
    """What the generator makes of one image, or of two: their names for people, and their pixels."""
    from genreid.deployment.views import generate_views, mesh_views
    from genreid.evaluation.generation import Painter
    from genreid.render.backend import choose_renderer
    from genreid.render.views import YAWS_DEG
    from stages.shared.body import open_body
    from stages.shared.data import read_manifest
    from stages.using.bodies import open_estimator_of_params

    info = read_manifest(project).info
    generator, encoder, size_px = _networks(project)
    body = open_body(project.root, info.body)
    estimator = open_estimator_of_params(project, body)
    renderer = choose_renderer(project.params.value("render_views.backend"), project.device)
    painter = Painter(generator.to(project.device), encoder.to(project.device))
    other = (names[1], pictures[1]) if len(names) > 1 else None
    with project.console.status("painting"):
        mesh = mesh_views(
            pictures[0],
            names[0],
            estimator,
            body,
            renderer,
            YAWS_DEG,
            size_px,
            repairs=generator.repairs,
            other=other,
        )
        return generate_views(painter, pictures[0], mesh, None if other is None else other[1])


def _networks(project: Project) -> tuple[Generator, IdentityEncoder, tuple[int, int]]:
    """Those of joint training, or the pretrained ones without it, and the size of their images.

    Raises PipelineError where they are missing, or of two sizes.
    """
    from genreid.models.checkpoint import load_encoder, load_generator, preprocessing_of
    from pipeline.errors import PipelineError
    from stages.shared.data import read_checkpoint
    from stages.using.checkpoint import warn_of_oracle

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
    return generator, load_encoder(*seeing), prepared.size_px
