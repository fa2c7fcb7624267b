"""The run that params.yaml describes, as a whole: every section read as its stage will read it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from stages.shared.run import Project
from stages.shared.sections import all_sections


class Configuration:
    """The configured run: its project, and what several checks ask of its params."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def value(self, key: str) -> Any:
        return self.project.params.value(key)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Every stage's section by name. Raises PipelineError for the first that is wrong."""
        return all_sections(self.project.params)

    @cached_property
    def native_px(self) -> tuple[int, int]:
        """Height and width of the images as they are; set by the data set's check where it is found."""
        name = (
            "prepare_data" if self.value("prepare_data.dataset") != "synthetic" else "prepare_data.synthetic"
        )
        return self.value(f"{name}.height_px"), self.value(f"{name}.width_px")

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
