"""The run that params.yaml describes, as a whole: every section read as its stage will read it."""

from __future__ import annotations

import importlib
from functools import cached_property
from typing import Any

from pipeline.params import section
from stages._limits import check_limits
from stages._run import Project

STAGE_SETTINGS = {
    "prepare_data": "stages.prepare_data:PrepareDataSettings",
    "fit_regressor": "genreid.training.regressor:FitSettings",
    "mesh_extract": "stages.mesh_extract:MeshExtractSettings",
    "render_views": "stages.render_views:RenderViewsSettings",
    "pretrain_encoder": "stages._import:PretrainEncoderSettings",
    "pretrain_generator": "genreid.training.generator:GeneratorPretrainingSettings",
    "train_joint": "genreid.training.settings:JointSettings",
    "evaluate": "stages.evaluate:EvaluateSettings",
}
"""The settings class of each stage's section, imported when it is asked for."""

_PARTS = {
    "prepare_data.folder": "genreid.data.datasets.folder:FolderSettings",
    "prepare_data.synthetic": "genreid.synthetic:SyntheticSettings",
    "mesh_extract.romp": "genreid.mesh.romp:RompSettings",
    "evaluate.reranking": "genreid.evaluation.reranking:RerankingSettings",
}
"""Parts of sections that their stages read by themselves; null where the run does without."""


class Configuration:
    """The configured run: its project, and what several checks ask of its params."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def value(self, key: str) -> Any:
        return self.project.params.value(key)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Every stage's section, and their parts, as settings classes by name.

        Raises PipelineError for the first that is wrong, or has a number out of its limits.
        """
        loaded = {}
        for name, place in {**STAGE_SETTINGS, **_PARTS}.items():
            if self.value(name) is not None:
                module, _, settings_class = place.partition(":")
                loaded[name] = section(
                    self.project.params, name, getattr(importlib.import_module(module), settings_class)
                )
        check_limits(self.project.params, list(STAGE_SETTINGS))
        return loaded

    @cached_property
    def num_images(self) -> int:
        """Of the data set; set by its check where it is found, and what is to be expected before."""
        name = self.value("prepare_data.dataset")
        if name != "synthetic":
            from genreid.data.datasets.registry import PUBLISHED

            return (
                sum(count.images for count in PUBLISHED[name].official.values()) if name in PUBLISHED else 0
            )
        drawn = self.value("prepare_data.synthetic")
        identities = sum(drawn[f"{split}_identities"] for split in ("train", "val", "test"))
        return round(identities * (drawn["min_images"] + drawn["max_images"]) / 2)
