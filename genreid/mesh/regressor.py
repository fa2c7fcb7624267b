"""A small network that regresses SMPL's parameters and the person's mask from pixels, and its checkpoint.

In the manner of HMR (Kanazawa et al. 2018, arXiv 1712.06584) with continuous rotations (Zhou et al. 2019,
arXiv 1812.07035), in one pass and at the size of a ReID crop. It is fitted to renders of the open body, for
images like the synthetic benchmark's; photographs need a real estimator. B images, H×W network input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genreid.body.body import Body
from genreid.body.layout import NUM_BETAS, NUM_JOINTS
from genreid.body.rotations import rotation_6d_to_matrix
from genreid.errors import GenreidError
from genreid.mesh.settings import STEM_STRIDE, NetworkSettings
from genreid.models.finite import require_finite

FORMAT, VERSION = "genreid.regressor", 2
_WIDTHS = (6 * NUM_JOINTS, NUM_BETAS, 3)


@dataclass(frozen=True)
class Prediction:
    """What the network says of B images, before it is made a body.

    rotation_6d (B, 24, 6): root and joints, not yet orthonormal. betas (B, 10). camera (B, 3): ln s, s·t_x,
    s·t_y, that is size and place in the image, which pixels show; t alone they do not. mask (B, H, W): logits
    of a pixel's being the person's (clothed, with bags, and where something stands before them too).
    """

    rotation_6d: Tensor
    betas: Tensor
    camera: Tensor
    mask: Tensor

    @classmethod
    def joined(cls, parts: Sequence[Prediction]) -> Prediction:
        """The images of all parts, in order."""
        return cls(
            *(torch.cat(tensors) for tensors in zip(*(part._tensors() for part in parts), strict=True))
        )

    @property
    def rotations(self) -> Tensor:
        """(B, 24, 3, 3)."""
        return rotation_6d_to_matrix(self.rotation_6d)

    def float(self) -> Prediction:
        """In float32, whatever the network computed in."""
        return Prediction(*(tensor.float() for tensor in self._tensors()))

    def to(self, device: torch.device | str) -> Prediction:
        return Prediction(*(tensor.to(device) for tensor in self._tensors()))

    @property
    def weak_perspective(self) -> Tensor:
        """(B, 3) s, t_x, t_y."""
        return camera_from_image(self.camera)

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.rotation_6d, self.betas, self.camera, self.mask


def camera_to_image(camera: Tensor) -> Tensor:
    """(B, 3) s, t_x, t_y → ln s, s·t_x, s·t_y."""
    return torch.cat([camera[:, :1].log(), camera[:, :1] * camera[:, 1:]], dim=1)


def camera_from_image(camera: Tensor) -> Tensor:
    """The inverse of `camera_to_image`."""
    scale = camera[:, :1].exp()
    return torch.cat([scale, camera[:, 1:] / scale], dim=1)


class Regressor(nn.Module):
    """A narrow residual network whose last map is flattened, because where a limb is matters."""

    mean: Tensor
    scale: Tensor

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        widths = settings.widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 7, STEM_STRIDE, 3, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.ModuleList(_HalvingBlock(before, after) for before, after in pairwise(widths))
        area = (settings.height_px * settings.width_px) // (STEM_STRIDE * 2 ** (len(widths) - 1)) ** 2
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1] * area, settings.head_width), nn.ReLU(inplace=True)
        )
        self.output = nn.Linear(settings.head_width, sum(_WIDTHS))
        self.mask_head = _MaskHead(widths, settings.mask_width)
        self.register_buffer("mean", torch.zeros(sum(_WIDTHS)))
        self.register_buffer("scale", torch.ones(sum(_WIDTHS)))

    def start_from(self, rotation_6d: Tensor, betas: Tensor, camera: Tensor) -> None:
        """Make the network speak in units of the targets' spread around their mean, its first answer.

        Targets as in `Prediction`.
        """
        values = torch.cat([rotation_6d.flatten(1), betas, camera], dim=1)
        self.mean.copy_(values.mean(0))
        self.scale.copy_(values.std(0).clamp_min(1e-3))
        nn.init.zeros_(self.output.bias)
        nn.init.zeros_(self.output.weight)

    def forward(self, images: Tensor) -> Prediction:
        """(B, 3, H, W) as `network_input` makes it."""
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        values = self.mean + self.scale * self.output(self.head(maps[-1]))
        rotations, betas, camera = values.split(_WIDTHS, dim=1)
        return Prediction(rotations.unflatten(1, (NUM_JOINTS, 6)), betas, camera, self.mask_head(maps))


class _HalvingBlock(nn.Module):
    """Residual block (He et al. 2016) of stride 2; the way past it averages before it projects."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, 2, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.past = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first_norm(self.first(x)), inplace=True)
        return F.relu(self.second_norm(self.second(y)) + self.past(x), inplace=True)


class _MaskHead(nn.Module):
    """Reads the mask from all maps of the network, from the coarsest to the finest, each added to the ones
    before at twice their size, as in feature pyramids (Lin et al. 2017, arXiv 1612.03144, section 3). The
    channels of a place in the finest become its pixels (Shi et al. 2016, arXiv 1609.05158, equation 4).
    """

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.entries = nn.ModuleList(nn.Conv2d(channels, width, 1, bias=False) for channels in widths)
        self.merges = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.Conv2d(width, width, 3, 1, 1, bias=False)
            )
            for _ in widths[:-1]
        )
        self.output = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, STEM_STRIDE**2, 1),
            nn.PixelShuffle(STEM_STRIDE),
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of stem and stages → (B, H, W) logits."""
        x = self.entries[-1](maps[-1])
        finer = list(zip(self.merges, self.entries[:-1], maps[:-1], strict=True))
        for merge, entry, there in reversed(finer):
            x = merge(F.interpolate(x, scale_factor=2, mode="nearest") + entry(there))
        logits: Tensor = self.output(x)
        return logits[:, 0]


def network_input(images: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 RGB → (B, 3, H, W) float32 about 0, channels last."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return pixels.to(torch.float32, memory_format=torch.channels_last).sub_(127.5).div_(64.0)


def regressor_checkpoint(network: Regressor, body: Body) -> dict[str, Any]:
    """All that `load_regressor` needs: plain types and tensors on the CPU."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "settings": asdict(network.settings),
        "body": body.fingerprint,
        "weights": {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()},
    }


def load_regressor(
    checkpoint: Mapping[str, Any], body: Body, source: str = "regressor checkpoint"
) -> Regressor:
    """The network of a checkpoint, in evaluation mode.

    Raises:
        GenreidError: it is no regressor, is of another version, was fitted to another body, or has weights
            that are not finite.
    """
    remedy = "fit it again with `dvc repro --force fit-regressor`"
    found = checkpoint.get("format"), checkpoint.get("version")
    if found != (FORMAT, VERSION):
        raise GenreidError(
            f"{source}: is {found[0]!r} version {found[1]}, expected {FORMAT!r} version {VERSION}; {remedy}"
        )
    if checkpoint["body"] != body.fingerprint:
        raise GenreidError(
            f"{source}: was fitted to body {checkpoint['body']}, the one in use is {body.fingerprint}; "
            f"{remedy}"
        )
    values = dict(checkpoint["settings"])
    if set(values) != {field.name for field in fields(NetworkSettings)}:
        raise GenreidError(f"{source}: its settings {sorted(values)} are not this program's; {remedy}")
    network = Regressor(NetworkSettings(**{**values, "widths": tuple(values["widths"])}))
    network.load_state_dict(checkpoint["weights"])
    require_finite(network, source, remedy)
    return network.eval()
