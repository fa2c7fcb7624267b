"""The sections of params.yaml as their stages read them: checked before a stage imports torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from pipeline.errors import PipelineError
from pipeline.graph import find_root
from pipeline.params import Params, load_params, refuse_unknown, section, shared_keys
from stages.shared.conflicts import conflicts
from stages.shared.paths import Paths

_P = ParamSpec("_P")


def stage_settings() -> dict[str, type[Any]]:
    """The settings class of each stage's section; a function, because they bring NumPy and pyarrow."""
    from genreid.evaluation.settings import EvaluateSettings
    from genreid.training.settings.generator import GeneratorPretrainingSettings
    from genreid.training.settings.joint import JointSettings
    from genreid.training.settings.regressor import FitSettings
    from stages.shared.settings.mesh_extract import MeshExtractSettings
    from stages.shared.settings.prepare_data import PrepareDataSettings
    from stages.shared.settings.pretrain_encoder import PretrainEncoderSettings
    from stages.shared.settings.render_views import RenderViewsSettings

    return {
        "prepare_data": PrepareDataSettings,
        "fit_regressor": FitSettings,
        "mesh_extract": MeshExtractSettings,
        "render_views": RenderViewsSettings,
        "pretrain_encoder": PretrainEncoderSettings,
        "pretrain_generator": GeneratorPretrainingSettings,
        "train_joint": JointSettings,
        "evaluate": EvaluateSettings,
    }


def all_sections(params: Params) -> dict[str, Any]:
    """Every stage's section by name. Raises PipelineError for the first that is wrong."""
    return {name: section(params, name, settings) for name, settings in stage_settings().items()}


def require_all(params: Params) -> None:
    """Raises PipelineError where any section is wrong, or two do not go together."""
    section(params, "paths", Paths)
    refuse_unknown(params, {"paths": Paths, **stage_settings()})
    _require_no_conflict(all_sections(params))


def require_own(params: Params, name: str) -> None:
    """Raises PipelineError where the section `name` is wrong, or its stage could not work beside another's.

    What stops another stage is for that one to tell.
    """
    section(params, "paths", Paths)
    classes = stage_settings()
    own = classes.pop(name)
    found = {name: section(params, name, own)}
    shared = {key.partition(".")[0] for key in shared_keys(own)}
    refuse_unknown(replace(params, values={key: params.value(key) for key in shared}), {name: own})
    for other, settings in classes.items():
        with contextlib.suppress(PipelineError):
            found[other] = section(params, other, settings)
    _require_no_conflict(found, name)


def _require_no_conflict(settings: dict[str, Any], of: str | None = None) -> None:
    for problem, remedy in conflicts(settings, of):
        raise PipelineError(f"{problem}; {remedy}")


def checked(stage: Callable[_P, None]) -> Callable[_P, None]:
    """The command of a stage, which first looks whether its section of params.yaml can be.

    It stands around the stage, not in it: a stage runs again where the code that it imports has changed, and
    is not to do so where another stage's settings have. And it is past before the stage imports torch.
    """

    @wraps(stage)
    def command(*arguments: _P.args, **options: _P.kwargs) -> None:
        require_own(load_params(find_root(Path.cwd()) / "params.yaml"), stage.__name__)
        stage(*arguments, **options)

    return command
