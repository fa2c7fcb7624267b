"""Each camera's mean, taken off the embeddings of a gallery and of what is searched in it.

Beyond the paper. It takes a gallery and its cameras, and no identity. N images, D embedding width.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from genreid.clustering.cameras import less_mean
from genreid.deployment.patterns import finds_nothing, found_in


@dataclass(frozen=True)
class CameraMeans:
    """Of the images of each camera, by its name, (D,); overall: of all images.

    pattern: a regular expression that finds an image's camera anywhere in its path, as the group `camera`.
    """

    pattern: str
    by_camera: Mapping[str, np.ndarray]
    overall: np.ndarray

    @classmethod
    def of(cls, pattern: str, paths: Sequence[str], rows: np.ndarray) -> CameraMeans:
        """rows: (N, D). Raises GenreidError where no path has a camera."""
        cameras = [found_in(pattern, "camera", path) for path in paths]
        names = sorted({camera for camera in cameras if camera is not None})
        if not names:
            raise finds_nothing(pattern, "camera", paths)
        wide = rows.astype(np.float64)
        own = {name: wide[[camera == name for camera in cameras]].mean(0) for name in names}
        return cls(pattern, own, wide.mean(0))

    def mean_of(self, camera: str | None) -> np.ndarray:
        """That of an unknown camera is the mean of all images."""
        return self.by_camera.get(camera, self.overall) if camera is not None else self.overall

    def take_off(self, rows: np.ndarray, cameras: Sequence[str | None]) -> np.ndarray:
        """Rows (N, D) less the means of their cameras (N,): unit rows again."""
        means = np.stack([self.mean_of(camera) for camera in cameras])
        return less_mean(torch.from_numpy(rows), torch.from_numpy(means).to(torch.float32)).numpy()

    def encoded(self) -> bytes:
        return json.dumps(
            {
                "pattern": self.pattern,
                "by_camera": {name: mean.tolist() for name, mean in self.by_camera.items()},
                "overall": self.overall.tolist(),
            }
        ).encode()

    @classmethod
    def decoded(cls, encoded: bytes) -> CameraMeans:
        values = json.loads(encoded)
        means = {name: np.array(mean) for name, mean in values["by_camera"].items()}
        return cls(values["pattern"], means, np.array(values["overall"]))
