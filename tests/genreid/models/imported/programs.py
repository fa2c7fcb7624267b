"""Files of other programs in small: random weights under their real names, and what they compute with them.

The forward passes are straight lines over the names, without a module: what is imported is held against them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


class Drawn:
    """Random weights, by name and shape."""

    def __init__(self, seed: int = 0) -> None:
        self.state: State = {}
        self._rng = torch.Generator().manual_seed(seed)

    def add(self, name: str, *shape: int, near: float = 0.0) -> None:
        size = 0.2 if len(shape) < 2 else math.prod(shape[1:]) ** -0.5
        self.state[name] = near + size * torch.randn(shape, generator=self._rng)

    def linear(self, name: str, outputs: int, inputs: int, *kernel: int, bias: bool = True) -> None:
        self.add(f"{name}.weight", outputs, inputs, *kernel)
        if bias:
            self.add(f"{name}.bias", outputs)

    def norm(self, name: str, channels: int, *, batch: bool = True) -> None:
        self.add(f"{name}.weight", channels, near=1.0)
        self.add(f"{name}.bias", channels)
        if batch:
            self.add(f"{name}.running_mean", channels)
            self.state[f"{name}.running_var"] = torch.rand(channels, generator=self._rng) + 0.5
            self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)


def batch_norm(state: State, name: str, x: Tensor) -> Tensor:
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"])


def instance_norm(state: State, name: str, x: Tensor) -> Tensor:
    spread = x.var((2, 3), unbiased=False, keepdim=True) + 1e-5
    plain = (x - x.mean((2, 3), keepdim=True)) / spread.sqrt()
    return plain * state[f"{name}.weight"][:, None, None] + state[f"{name}.bias"][:, None, None]


def any_norm(state: State, name: str, x: Tensor) -> Tensor:
    return (batch_norm if f"{name}.running_mean" in state else instance_norm)(state, name, x)


# --- OSNet and OSNet-AIN, as torchreid names them ---

STREAMS = "abcd"
AIN_INSIDE = {("conv2", 0), ("conv2", 1), ("conv3", 1), ("conv4", 0)}
"""The blocks of OSNet-AIN that have an instance norm."""


def stream_names(*, ain: bool) -> Iterator[list[str]]:
    """The light convolutions of each stream of a block, in their order."""
    for stream in range(4):
        if ain:
            yield [f"conv2.{stream}.layers.{layer}" for layer in range(stream + 1)]
        elif stream == 0:
            yield ["conv2a"]
        else:
            yield [f"conv2{STREAMS[stream]}.{layer}" for layer in range(stream + 1)]


def osnet(
    channels: tuple[int, ...] = (16, 64, 96, 128), *, ain: bool = False, ibn: bool = False, fc: int = 24
) -> State:
    drawn = Drawn()
    drawn.linear("conv1.conv", channels[0], 3, 7, 7, bias=False)
    drawn.norm("conv1.bn", channels[0], batch=not (ain or ibn))
    for number, stage in enumerate(("conv2", "conv3", "conv4")):
        inputs, outputs = channels[number], channels[number + 1]
        for block in range(2):
            name, width = f"{stage}.{block}", outputs // 4
            inside, outside = ain and (stage, block) in AIN_INSIDE, ibn and stage == "conv2"
            drawn.linear(f"{name}.conv1.conv", width, inputs, 1, 1, bias=False)
            drawn.norm(f"{name}.conv1.bn", width)
            for layers in stream_names(ain=ain):
                for layer in layers:
                    drawn.linear(f"{name}.{layer}.conv1", width, width, 1, 1, bias=False)
                    drawn.linear(f"{name}.{layer}.conv2", width, 1, 3, 3, bias=False)
                    drawn.norm(f"{name}.{layer}.bn", width)
            drawn.linear(f"{name}.gate.fc1", width // 16, width, 1, 1)
            drawn.linear(f"{name}.gate.fc2", width, width // 16, 1, 1)
            drawn.linear(f"{name}.conv3.conv", outputs, width, 1, 1, bias=False)
            if not inside:
                drawn.norm(f"{name}.conv3.bn", outputs)
            if inputs != outputs:
                drawn.linear(f"{name}.downsample.conv", outputs, inputs, 1, 1, bias=False)
                drawn.norm(f"{name}.downsample.bn", outputs)
            if inside or outside:
                drawn.norm(f"{name}.IN", outputs, batch=False)
            inputs = outputs
        if stage != "conv4":
            name = f"pool{number + 2}.0" if ain else f"{stage}.2.0"
            drawn.linear(f"{name}.conv", outputs, outputs, 1, 1, bias=False)
            drawn.norm(f"{name}.bn", outputs)
    drawn.linear("conv5.conv", channels[3], channels[3], 1, 1, bias=False)
    drawn.norm("conv5.bn", channels[3])
    drawn.linear("fc.0", fc, channels[3])
    drawn.norm("fc.1", fc)
    drawn.linear("classifier", 7, fc)
    return drawn.state


def osnet_features(state: State, image: Tensor) -> Tensor:
    ain = "pool2.0.conv.weight" in state

    def unit(name: str, x: Tensor) -> Tensor:
        return F.relu(any_norm(state, f"{name}.bn", F.conv2d(x, state[f"{name}.conv.weight"])))

    def block(name: str, x: Tensor) -> Tensor:
        reduced, mixed = unit(f"{name}.conv1", x), torch.zeros(())
        for layers in stream_names(ain=ain):
            y = reduced
            for layer in layers:
                weight = state[f"{name}.{layer}.conv2.weight"]
                y = F.conv2d(y, state[f"{name}.{layer}.conv1.weight"])
                y = F.conv2d(y, weight, padding=1, groups=len(weight))
                y = F.relu(batch_norm(state, f"{name}.{layer}.bn", y))
            pooled = F.adaptive_avg_pool2d(y, 1)
            first, second = f"{name}.gate.fc1", f"{name}.gate.fc2"
            opened = F.relu(F.conv2d(pooled, state[f"{first}.weight"], state[f"{first}.bias"]))
            opened = F.conv2d(opened, state[f"{second}.weight"], state[f"{second}.bias"])
            mixed = mixed + y * torch.sigmoid(opened)
        mixed = F.conv2d(mixed, state[f"{name}.conv3.conv.weight"])
        inside = f"{name}.conv3.bn.weight" not in state
        mixed = (
            instance_norm(state, f"{name}.IN", mixed)
            if inside
            else batch_norm(state, f"{name}.conv3.bn", mixed)
        )
        if f"{name}.downsample.conv.weight" in state:
            x = F.conv2d(x, state[f"{name}.downsample.conv.weight"])
            x = batch_norm(state, f"{name}.downsample.bn", x)
        total = mixed + x
        if not inside and f"{name}.IN.weight" in state:
            total = instance_norm(state, f"{name}.IN", total)
        return F.relu(total)

    x = F.conv2d(image, state["conv1.conv.weight"], stride=2, padding=3)
    x = F.max_pool2d(F.relu(any_norm(state, "conv1.bn", x)), 3, stride=2, padding=1)
    for number, stage in enumerate(("conv2", "conv3", "conv4")):
        x = block(f"{stage}.1", block(f"{stage}.0", x))
        if stage != "conv4":
            x = F.avg_pool2d(unit(f"pool{number + 2}.0" if ain else f"{stage}.2.0", x), 2)
    x = unit("conv5", x).mean((2, 3))
    x = F.linear(x, state["fc.0.weight"], state["fc.0.bias"])
    return F.relu(batch_norm(state, "fc.1", x))


# --- vision transformers ---

WIDTH, DEPTH, PATCH = 128, 2, 16
HEADS = 2


def _blocks(drawn: Drawn, prefix: str, names: dict[str, str]) -> None:
    for number in range(DEPTH):
        at = f"{prefix}.{number}."
        drawn.norm(at + names["norm1"], WIDTH, batch=False)
        drawn.add(at + names["qkv"] + "weight", 3 * WIDTH, WIDTH)
        drawn.add(at + names["qkv"] + "bias", 3 * WIDTH)
        drawn.linear(at + names["proj"], WIDTH, WIDTH)
        drawn.norm(at + names["norm2"], WIDTH, batch=False)
        drawn.linear(at + names["fc1"], 4 * WIDTH, WIDTH)
        drawn.linear(at + names["fc2"], WIDTH, 4 * WIDTH)


TRANSREID = {
    "norm1": "norm1",
    "qkv": "attn.qkv.",
    "proj": "attn.proj",
    "norm2": "norm2",
    "fc1": "mlp.fc1",
    "fc2": "mlp.fc2",
}
CLIP = {
    "norm1": "ln_1",
    "qkv": "attn.in_proj_",
    "proj": "attn.out_proj",
    "norm2": "ln_2",
    "fc1": "mlp.c_fc",
    "fc2": "mlp.c_proj",
}


def transreid(
    num_positions: int, *, stem: bool = False, parts: bool = False, labels: bool = True, necks: bool = True
) -> State:
    """labels: as trained with labels, `base.` before all names of the transformer."""
    drawn, base = Drawn(), "base." if labels else ""
    drawn.add(f"{base}cls_token", 1, 1, WIDTH)
    drawn.add(f"{base}pos_embed", 1, num_positions + (not parts), WIDTH)
    if parts:
        drawn.add(f"{base}cls_pos", 1, 1, WIDTH)
        for number in (1, 2, 3):
            drawn.add(f"{base}part_token{number}", 1, 1, WIDTH)
            drawn.add(f"{base}part{number}_pos", 1, 1, WIDTH)
    at = f"{base}patch_embed."
    if stem:
        drawn.linear(f"{at}conv.0", 64, 3, 7, 7, bias=False)
        drawn.linear(f"{at}conv.3", 64, 64, 3, 3, bias=False)
        drawn.linear(f"{at}conv.6", 64, 64, 3, 3, bias=False)
        for layer in (1, 4):
            drawn.norm(f"{at}conv.{layer}.IN", 32, batch=False)
            drawn.norm(f"{at}conv.{layer}.BN", 32)
        drawn.norm(f"{at}conv.7", 64)
    kernel = PATCH // 2 if stem else PATCH
    drawn.linear(f"{at}proj", WIDTH, 64 if stem else 3, kernel, kernel)
    _blocks(drawn, f"{base}blocks", TRANSREID)
    drawn.norm(f"{base}norm", WIDTH, batch=False)
    if labels:
        drawn.linear("base.fc", 1000, WIDTH)
        drawn.linear("classifier", 7, 2 * WIDTH if parts else WIDTH, bias=False)
    if necks:
        drawn.norm("bottleneck", WIDTH)
        for number in (1, 2, 3) if parts else ():
            drawn.norm(f"bottleneck_{'' if labels else 'pt'}{number}", WIDTH)
    return drawn.state


def clip_reid(num_positions: int, projection: int = 24) -> State:
    drawn = Drawn()
    drawn.add("image_encoder.class_embedding", WIDTH)
    drawn.add("image_encoder.positional_embedding", num_positions + 1, WIDTH)
    drawn.add("image_encoder.proj", WIDTH, projection)
    drawn.linear("image_encoder.conv1", WIDTH, 3, PATCH, PATCH, bias=False)
    for name in ("ln_pre", "ln_post"):
        drawn.norm(f"image_encoder.{name}", WIDTH, batch=False)
    _blocks(drawn, "image_encoder.transformer.resblocks", CLIP)
    drawn.linear("classifier", 7, WIDTH, bias=False)
    drawn.linear("classifier_proj", 7, projection, bias=False)
    drawn.norm("bottleneck", WIDTH)
    drawn.norm("bottleneck_proj", projection)
    drawn.add("prompt_learner.cls_ctx", 7, 4, 8)
    drawn.add("text_encoder.positional_embedding", 5, 8)
    return drawn.state


def _layer_norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"], eps)


def _attended(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Attention of every head, one after another."""
    each = []
    query, key, value = F.linear(x, weight, bias).chunk(3, dim=2)
    for q, k, v in zip(*(part.chunk(HEADS, dim=2) for part in (query, key, value)), strict=True):
        scores = q @ k.transpose(1, 2) / (WIDTH // HEADS) ** 0.5
        each.append(scores.softmax(2) @ v)
    return torch.cat(each, dim=2)


def _through_blocks(
    state: State,
    prefix: str,
    names: dict[str, str],
    x: Tensor,
    eps: float,
    activation: Callable[[Tensor], Tensor],
) -> Tensor:
    for number in range(DEPTH):
        at = f"{prefix}.{number}."
        linear = {
            key: (state[f"{at}{names[key]}.weight"], state[f"{at}{names[key]}.bias"])
            for key in ("proj", "fc1", "fc2")
        }
        y = _layer_norm(state, at + names["norm1"], x, eps)
        y = _attended(y, state[at + names["qkv"] + "weight"], state[at + names["qkv"] + "bias"])
        x = x + F.linear(y, *linear["proj"])
        y = _layer_norm(state, at + names["norm2"], x, eps)
        x = x + F.linear(activation(F.linear(y, *linear["fc1"])), *linear["fc2"])
    return x


def transreid_tokens(state: State, image: Tensor, stride: int = PATCH) -> list[Tensor]:
    """The image's token, and the parts' after it."""
    plain = {name.removeprefix("base."): tensor for name, tensor in state.items()}
    x, at = image, "patch_embed."
    if f"{at}conv.0.weight" in plain:
        x = F.conv2d(x, plain[f"{at}conv.0.weight"], stride=2, padding=3)
        for norm, convolution in ((1, 3), (4, 6)):
            halves = [
                instance_norm(plain, f"{at}conv.{norm}.IN", x[:, :32]),
                batch_norm(plain, f"{at}conv.{norm}.BN", x[:, 32:]),
            ]
            x = F.conv2d(F.relu(torch.cat(halves, 1)), plain[f"{at}conv.{convolution}.weight"], padding=1)
        x, stride = F.relu(batch_norm(plain, f"{at}conv.7", x)), stride // 2
    x = F.conv2d(x, plain[f"{at}proj.weight"], plain[f"{at}proj.bias"], stride=stride)
    x = x.flatten(2).transpose(1, 2)
    tokens, places = [plain["cls_token"]], [plain["pos_embed"]]
    if "part_token1" in plain:
        tokens += [plain[f"part_token{number}"] for number in (1, 2, 3)]
        places = [plain["cls_pos"], *(plain[f"part{number}_pos"] for number in (1, 2, 3)), *places]
    x = torch.cat([*(token.expand(len(x), -1, -1) for token in tokens), x], 1) + torch.cat(places, 1)
    x = _through_blocks(plain, "blocks", TRANSREID, x, 1e-6, F.gelu)
    x = _layer_norm(plain, "norm", x, 1e-6)
    return [x[:, number] for number in range(len(tokens))]


def clip_reid_features(state: State, image: Tensor, stride: int = PATCH) -> list[Tensor]:
    """The image's token, and projected."""
    at = "image_encoder."
    x = F.conv2d(image, state[f"{at}conv1.weight"], stride=stride).flatten(2).transpose(1, 2)
    token = state[f"{at}class_embedding"].expand(len(x), 1, -1)
    x = torch.cat([token, x], 1) + state[f"{at}positional_embedding"]
    x = _layer_norm(state, f"{at}ln_pre", x, 1e-5)
    x = _through_blocks(
        state, f"{at}transformer.resblocks", CLIP, x, 1e-5, lambda y: y * torch.sigmoid(1.702 * y)
    )
    x = _layer_norm(state, f"{at}ln_post", x, 1e-5)[:, 0]
    return [x, x @ state[f"{at}proj"]]
