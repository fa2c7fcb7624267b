"""The bodies of images that are no part of the data set, as a command finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.shared.run import Project

if TYPE_CHECKING:
    from genreid.body.body import Body
    from genreid.deployment.looking import Turner
    from genreid.mesh.estimator import MeshEstimator
    from genreid.mesh.settings import EstimatorName
    from stages.shared.estimation import EstimatorParts


def open_turner(project: Project) -> Turner:
    """What turns persons, as params.yaml has it, on the run's body. Raises PipelineError or GenreidError."""
    from genreid.deployment.looking import Turner
    from genreid.render.backend import choose_renderer
    from genreid.warping.warper import Warper
    from stages.shared.body import open_body

    body = open_body(project.root, _body_name(project))
    renderer = choose_renderer(project.params.value("render_views.backend"), project.device)
    return Turner(open_estimator_of_params(project, body), Warper(body, renderer))


def turner_parts(project: Project) -> EstimatorParts:
    """The estimator of the same, to be built where persons are turned."""
    import pyarrow as pa

    from stages.shared.body import body_source
    from stages.shared.estimation import estimator_parts

    return estimator_parts(
        project, _name(project), body_source(project.root, _body_name(project)), pa.table({})
    )


def open_estimator_of_params(project: Project, body: Body) -> MeshEstimator:
    """The estimator of params.yaml; says what it is good for."""
    import pyarrow as pa

    from genreid.errors import GenreidError
    from pipeline.errors import PipelineError
    from stages.shared.estimation import open_estimator

    name = _name(project)
    try:
        estimator = open_estimator(project, name, body, pa.table({}))
    except (GenreidError, PipelineError) as error:
        raise PipelineError(f"no body can be estimated in an image: {error}") from error
    note = ""
    if name == "regressor":
        note = (
            ", fitted on synthetic persons: for images of the benchmark; photographs need blazepose or romp"
        )
    project.console.print(f"body by: {name}{note}", markup=False, soft_wrap=True)
    return estimator


def _body_name(project: Project) -> str:
    """The manifest's; that of params.yaml where nothing was prepared, as for an encoder from elsewhere."""
    from stages.shared.data import read_manifest

    if project.path("manifest").exists():
        return read_manifest(project).info.body
    name: str = project.params.value("prepare_data.body")
    return name


def _name(project: Project) -> EstimatorName:
    name: EstimatorName = project.params.value("mesh_extract.estimator")
    # The truth knows no other images.
    return "regressor" if name == "ground_truth" else name
