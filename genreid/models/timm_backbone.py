"""Image → feature map by any network of timm that gives one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.package_weights import Statistics
from genreid.models.statistics import change_from_imagenet

_PROBE_PX = (256, 128)
_SHARE_FROM_FILE = 0.9
_REMEDY = "see timm.list_models(), or take resnet50"


class TimmBackbone(nn.Module):
    """The deepest map of a network of timm: (B,3,H,W) → (B,D,h,w).

    last_stride 1 asks for a map of a sixteenth of the image (by dilation where the network can, as it is for
    vision transformers of patch 16), 2 takes the network's own. Transformers take any size that their
    patches divide where timm can resample their position embeddings. Raises GenreidError for a network that
    gives no such map.

    pretrained: take timm's own weights, from its cache or the network. state: weights of a file instead.

    Pictures come with ImageNet's mean and deviation taken off, as everywhere in this program. A network that
    was pretrained on others (0.5 and 0.5, say) gets them as it knows them: the change, a scale and a shift of
    each channel, is part of its state, and so of every checkpoint.

    On a CPU its depthwise convolutions run in float32 even under autocast: see `_in_float32`.
    """

    def __init__(
        self,
        name: str,
        last_stride: int,
        *,
        pretrained: bool = False,
        state: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        import timm

        if not timm.is_model(name):
            raise GenreidError(
                f"backbone {name!r} is neither one of torchvision's ResNets nor of timm; {_REMEDY}"
            )
        weights: dict[str, Any] = {"pretrained": pretrained or state is not None}
        if state is not None:
            weights["pretrained_cfg_overlay"] = {"state_dict": dict(state)}
        network = _create(name, last_stride, weights)
        self.network: nn.Module = network
        self.out_channels: int = network.feature_info.channels()[-1]
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", torch.ones(3, 1, 1))
        self.register_buffer("shift", torch.zeros(3, 1, 1))
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
                module.forward = partial(_in_float32, module)  # type: ignore[method-assign]
        self._channels_last = self._probe(name, last_stride)
        if weights["pretrained"]:
            self._expect(network.pretrained_cfg["mean"], network.pretrained_cfg["std"])
        if state is not None:
            require_taken(network, state, name)

    def take(self, state: Mapping[str, Tensor], statistics: Statistics) -> None:
        """Take these weights, all of the network's, made with pictures of these `statistics`."""
        self.network.load_state_dict(dict(state))
        self._expect(*statistics)

    @torch.no_grad()
    def _expect(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Let pictures be normalised by this mean and deviation."""
        scale, shift = change_from_imagenet(mean, std)
        self.scale.copy_(scale)
        self.shift.copy_(shift)

    def forward(self, image: Tensor) -> Tensor:
        maps: list[Tensor] = self.network(image * self.scale + self.shift)
        return maps[-1].permute(0, 3, 1, 2) if self._channels_last else maps[-1]

    @torch.no_grad()
    def _probe(self, name: str, last_stride: int) -> bool:
        """Whether the map comes as (B,h,w,D); raises GenreidError where it is no map of the wanted size."""
        height, width = _PROBE_PX
        modes = [(module, module.training) for module in self.network.modules()]
        self.network.eval()
        try:
            shape = tuple(self.network(torch.zeros(1, 3, height, width))[-1].shape)
        except Exception as error:  # networks of a fixed size raise what they like
            raise GenreidError(
                f"timm's backbone {name!r} takes no {height}×{width} images ({first_line(error)}); {_REMEDY}"
            ) from error
        finally:
            for module, mode in modes:
                module.training = mode
        channels_last = len(shape) == 4 and shape[1] != self.out_channels and shape[3] == self.out_channels
        rows = shape[1] if channels_last else shape[-2]
        if len(shape) != 4 or self.out_channels not in (shape[1], shape[3]):
            raise GenreidError(f"timm's backbone {name!r} gives {shape}, which is no feature map; {_REMEDY}")
        if last_stride == 1 and rows < height // 16:
            raise GenreidError(
                f"timm's backbone {name!r} gives a map of 1/{height // rows} of the image, and "
                "encoder.last_stride 1 asks for 1/16; set encoder.last_stride: 2"
            )
        return channels_last


def _in_float32(convolution: nn.Conv2d, image: Tensor) -> Tensor:
    """A depthwise convolution, in float32 where autocast on a CPU would have it in bfloat16.

    Some CPUs take many times as long over those in bfloat16 as in float32, and none was seen to gain from it.
    """
    plain = type(convolution).forward
    if image.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return plain(convolution, image)
    with torch.autocast("cpu", enabled=False):
        return plain(convolution, image.float())


def _create(name: str, last_stride: int, weights: Mapping[str, Any]) -> Any:
    """The network with feature maps: with the wanted stride and for images of any size, as far as it can."""
    import timm

    wishes: list[dict[str, Any]] = [{"output_stride": 16}] if last_stride == 1 else []
    wishes += [{"dynamic_img_size": True}, {}]
    for wish in wishes:
        try:
            return timm.create_model(name, features_only=True, **wish, **weights)
        # timm's own ways to say that this network cannot be asked for that
        except (TypeError, NotImplementedError, AssertionError) as error:
            refusal = error
        except Exception as error:  # the network, the hub and the cache fail in a dozen ways
            if not weights["pretrained"]:
                raise
            raise GenreidError(_no_weights(name, error, weights)) from error
    raise GenreidError(
        f"timm's backbone {name!r} gives no feature map ({first_line(refusal)}); {_REMEDY}"
    ) from refusal


def _no_weights(name: str, error: Exception, weights: Mapping[str, Any]) -> str:
    if "pretrained_cfg_overlay" in weights:
        return f"pretrained weights for backbone {name}: the file is of another network ({first_line(error)})"
    return (
        f"timm's weights of {name} cannot be fetched ({first_line(error)}); with a network they come by "
        "themselves; without one, set encoder.pretrained to the path of a file, or to none"
    )


def require_taken(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """timm leaves out what does not fit, without a word: most of the network must really be the file's."""
    by_shape: dict[tuple[int, ...], list[Tensor]] = {}
    for tensor in state.values():
        by_shape.setdefault(tuple(tensor.shape), []).append(tensor)
    matrices = {key: tensor for key, tensor in network.state_dict().items() if tensor.ndim > 1}
    foreign = [
        key
        for key, tensor in matrices.items()
        if not any(torch.equal(tensor, one) for one in by_shape.get(tuple(tensor.shape), []))
    ]
    share = 1 - len(foreign) / len(matrices)
    if share < _SHARE_FROM_FILE:
        raise GenreidError(
            f"pretrained weights for backbone {name}: {share:.0%} of its {len(matrices)} weights are in the "
            f"file ({foreign[0]} is not); the file is of another network"
        )


def first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__
