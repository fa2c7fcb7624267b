"""A small network that regresses SMPL's parameters from pixels, and the estimator around it.

In the manner of HMR (Kanazawa et al. 2018, arXiv 1712.06584) with continuous rotations (Zhou et al. 2019,
arXiv 1812.07035), in one pass and at the size of a ReID crop. It is fitted to renders of the open body, for
images like the synthetic benchmark's; photographs need a real estimator. B images, H×W network input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from genreid.body.body import Body, BodyParameters
from genreid.body.layout import NUM_BETAS, NUM_JOINTS
from genreid.body.rotations import matrix_to_axis_angle, matrix_to_rotation_6d, rotation_6d_to_matrix
from genreid.data.transforms import resize
from genreid.errors import GenreidError
from genreid.mesh.mirror import mirror_camera, mirror_rotations
from genreid.mesh.shards import MeshEstimates
from genreid.ranges import Count

FORMAT, VERSION = "genreid.regressor", 1
SMALLEST_SIDE_PX = 8
_BATCH_SIZE = 64
_WIDTHS = (6 * NUM_JOINTS, NUM_BETAS, 3)


@dataclass(frozen=True)
class NetworkSettings:
    """height_px, width_px: input. widths: channels of the stem (a quarter of the input's size) and of each
    residual stage after it, which halves the size again. head_width: of the hidden layer before the output.
    """

    height_px: Annotated[int, Ge(16)]
    width_px: Annotated[int, Ge(16)]
    widths: tuple[Count, ...]
    head_width: Count

    def __post_init__(self) -> None:
        step = 4 * 2 ** (len(self.widths) - 1)
        if len(self.widths) < 2 or self.height_px % step or self.width_px % step:
            raise GenreidError(
                f"a regressor of {len(self.widths)} widths for {self.height_px}x{self.width_px} pixels "
                f"cannot be built: expected two or more widths, and sides divisible by {step}"
            )


@dataclass(frozen=True)
class Prediction:
    """What the network says of B images, before it is made a body.

    rotation_6d (B, 24, 6): root and joints, not yet orthonormal. betas (B, 10). camera (B, 3): ln s, s·t_x,
    s·t_y, that is size and place in the image, which pixels show; t alone they do not.
    """

    rotation_6d: Tensor
    betas: Tensor
    camera: Tensor

    @property
    def rotations(self) -> Tensor:
        """(B, 24, 3, 3)."""
        return rotation_6d_to_matrix(self.rotation_6d)

    def float(self) -> Prediction:
        """In float32, whatever the network computed in."""
        return Prediction(self.rotation_6d.float(), self.betas.float(), self.camera.float())

    def to(self, device: torch.device | str) -> Prediction:
        return Prediction(self.rotation_6d.to(device), self.betas.to(device), self.camera.to(device))

    @property
    def weak_perspective(self) -> Tensor:
        """(B, 3) s, t_x, t_y."""
        return camera_from_image(self.camera)


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
            nn.Conv2d(3, widths[0], 7, 4, 3, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        self.stages = nn.Sequential(*(_HalvingBlock(before, after) for before, after in pairwise(widths)))
        area = (settings.height_px * settings.width_px) // (4 * 2 ** (len(widths) - 1)) ** 2
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1] * area, settings.head_width), nn.ReLU(inplace=True)
        )
        self.output = nn.Linear(settings.head_width, sum(_WIDTHS))
        self.register_buffer("mean", torch.zeros(sum(_WIDTHS)))
        self.register_buffer("scale", torch.ones(sum(_WIDTHS)))

    def start_from(self, targets: Prediction) -> None:
        """Make the network speak in units of the targets' spread around their mean, its first answer."""
        values = torch.cat([targets.rotation_6d.flatten(1), targets.betas, targets.camera], dim=1)
        self.mean.copy_(values.mean(0))
        self.scale.copy_(values.std(0).clamp_min(1e-3))
        nn.init.zeros_(self.output.bias)
        nn.init.zeros_(self.output.weight)

    def forward(self, images: Tensor) -> Prediction:
        """(B, 3, H, W) as `network_input` makes it."""
        features = self.head(self.stages(self.stem(images)))
        values = self.mean + self.scale * self.output(features)
        rotations, betas, camera = values.split(_WIDTHS, dim=1)
        return Prediction(rotations.unflatten(1, (NUM_JOINTS, 6)), betas, camera)


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
        GenreidError: it is no regressor, is of another version, or was fitted to another body.
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
    return network.eval()


class RegressorEstimator:
    """The regressor as a `MeshEstimator`.

    Each image is judged together with its mirror image, and the two answers are averaged. The score is the
    length of the averaged direction of the body's left side, at most 1. The network learns that direction by
    least squares, so it tends to the mean over what the person might be: 1 when the heading is certain, 0
    when front and back are equally likely.

    An image with a side under `SMALLEST_SIDE_PX`, or of one colour throughout, or with an answer that is not
    finite, is `failed`.
    """

    name = "regressor"

    def __init__(self, network: Regressor, device: torch.device) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last).eval()
        self._device = device

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        """See `MeshEstimator`."""
        result = MeshEstimates.without_mesh(["failed"] * len(images))
        usable = np.array([i for i, image in enumerate(images) if _is_usable(image)], np.int64)
        for start in range(0, len(usable), _BATCH_SIZE):
            index = usable[start : start + _BATCH_SIZE]
            found = self._estimate([images[i] for i in index])
            finite = torch.cat([found.parameters.global_orient, found.parameters.body_pose, found.camera], 1)
            good = torch.isfinite(finite).all(dim=1).numpy()
            result = result.fill(index[good], found.select(good))
        return result

    @torch.inference_mode()
    def _estimate(self, images: list[np.ndarray]) -> MeshEstimates:
        settings = self._network.settings
        crops = [Crop.of(image.shape[0], image.shape[1], settings) for image in images]
        pixels = np.stack([crop.cut(image) for crop, image in zip(crops, images, strict=True)])
        batch = network_input(pixels).to(self._device)
        rotation_6d, betas, camera = _both_sides(self._network(batch), self._network(batch.flip(3)))
        axis_angle = matrix_to_axis_angle(rotation_6d_to_matrix(rotation_6d)).cpu()
        parameters = BodyParameters(axis_angle[:, 0], axis_angle[:, 1:].flatten(1), betas.cpu())
        native = camera_from_image(camera).cpu()
        native = torch.stack([crop.to_native(one) for crop, one in zip(crops, native, strict=True)])
        score = rotation_6d[:, 0, :3].norm(dim=1).clamp(max=1.0).cpu().numpy()
        return MeshEstimates(["ok"] * len(images), score, parameters, native)


def _both_sides(seen: Prediction, mirrored: Prediction) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of what the network says of images and, mirrored back, of their mirror images."""
    # The 6D columns are kept at their lengths: a side that is sure outvotes one that is not.
    columns = mirrored.rotation_6d.unflatten(2, (2, 3)).transpose(2, 3)
    back = matrix_to_rotation_6d(mirror_rotations(F.pad(columns, (0, 1))))
    return (
        (seen.rotation_6d + back) / 2,
        (seen.betas + mirrored.betas) / 2,
        (seen.camera + mirror_camera(mirrored.camera)) / 2,
    )


@dataclass(frozen=True)
class Crop:
    """How a native picture becomes the network's: its edges are repeated to the network's aspect, so that
    bodies keep their proportions, and the whole is resized. Sizes are those of the picture and with edges.
    """

    height: int
    width: int
    padded_height: int
    padded_width: int
    settings: NetworkSettings

    @classmethod
    def of(cls, height: int, width: int, settings: NetworkSettings) -> Crop:
        padded_height = max(height, round(width * settings.height_px / settings.width_px))
        padded_width = max(width, round(height * settings.width_px / settings.height_px))
        return cls(height, width, padded_height, padded_width, settings)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 → (H, W, 3)."""
        top, left = self._margin()
        padded = cv2.copyMakeBorder(
            image,
            top,
            self.padded_height - self.height - top,
            left,
            self.padded_width - self.width - left,
            cv2.BORDER_REPLICATE,
        )
        return resize(padded, self.settings.height_px, self.settings.width_px)

    def to_native(self, camera: Tensor) -> Tensor:
        """(3,) weak perspective in the network's picture → in the native one."""
        top, left = self._margin()
        half_side = max(self.height, self.width) / 2
        scale = camera[0] * (max(self.padded_height, self.padded_width) / 2) / half_side
        shift = camera.new_tensor(
            [
                self.padded_width / 2 - left - self.width / 2,
                self.padded_height / 2 - top - self.height / 2,
            ]
        )
        return torch.cat([scale[None], camera[1:] + shift / (scale * half_side)])

    def _margin(self) -> tuple[int, int]:
        return (self.padded_height - self.height) // 2, (self.padded_width - self.width) // 2


def _is_usable(image: np.ndarray) -> bool:
    return min(image.shape[:2]) >= SMALLEST_SIDE_PX and bool((image != image[0, 0]).any())
