"""What the configured run takes of disk and memory, roughly: measured rules of thumb, no promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from genreid.models.discriminator import Discriminator, DiscriminatorSettings
from genreid.models.encoder import EncoderSettings, IdentityEncoder
from genreid.models.generator import Generator, GeneratorSettings

GB = 1e9

_BYTES_OF_VIEW_PER_PIXEL = 0.5  # a grey PNG of a body
_BYTES_OF_IMAGE_PER_PIXEL = 2.5  # a colour PNG of the benchmark
_BYTES_OF_MESH = 800
_COPIES = 2  # in the workspace and in DVC's cache
_PROCESS_BYTES = 1.2 * GB  # torch, faiss and compiled kernels, before any work
_WORKER_BYTES = 1.0 * GB  # a process that draws scenes: the empty streets of all cameras
_MOST_WORKERS = 4
_LARGEST_CACHE_BYTES = 2 * 1024**3
_FLOAT = 4


@dataclass(frozen=True)
class Workload:
    """What is trained on what: images, their native and training size, batches, and the networks."""

    num_images: int
    native_px: tuple[int, int]
    training_px: tuple[int, int]
    num_yaws: int
    warm_up_batch: int
    joint_batch: int
    is_synthetic: bool
    num_workers: int
    encoder: EncoderSettings
    generator: GeneratorSettings
    discriminator: DiscriminatorSettings


@dataclass(frozen=True)
class Needs:
    """Bytes: disk of the project; memory of the machine; memory of the device that trains (on the CPU, a
    part of the machine's).
    """

    disk: float
    memory: float
    training: float


def estimate_needs(work: Workload) -> Needs:
    """The needs of a whole run. Networks are built without their weights, so that this takes no memory."""
    height, width = work.training_px
    with torch.device("meta"):
        encoder = IdentityEncoder(work.encoder)
        generator = Generator(work.generator, encoder.appearance_dim, work.encoder.num_stripes)
        discriminator = Discriminator(work.discriminator)
        image, mesh = torch.empty(2, 3, height, width), torch.empty(2, 1, height, width)
        of_encoder = _activation_bytes(encoder, image) / 2
        of_generator = _activation_bytes(generator, mesh, torch.empty(2, encoder.appearance_dim)) / 2
        of_discriminator = _activation_bytes(discriminator, image) / 2
    encoder_bytes, rest_bytes = (
        _weight_bytes(encoder),
        _weight_bytes(generator) + _weight_bytes(discriminator),
    )
    # weights, gradients, two moments; a joint step encodes an image and four painted ones, and paints four
    warm_up = 4 * encoder_bytes + work.warm_up_batch * of_encoder
    joint_images = 5 * of_encoder + 4 * of_generator + 5 * of_discriminator
    joint = 4 * (encoder_bytes + rest_bytes) + work.joint_batch * joint_images
    training = max(warm_up, joint)

    native = work.native_px[0] * work.native_px[1]
    data = work.num_images * (work.num_yaws * native * _BYTES_OF_VIEW_PER_PIXEL + _BYTES_OF_MESH)
    if work.is_synthetic:
        data += work.num_images * native * _BYTES_OF_IMAGE_PER_PIXEL
    weights = 2 * encoder_bytes + 2 * rest_bytes
    state = 3 * (encoder_bytes + rest_bytes)
    cache = min(3 * height * width * work.num_images, _LARGEST_CACHE_BYTES)
    memory_rows = 2 * _FLOAT * work.num_images * encoder.embedding_dim
    workers = min(work.num_workers, _MOST_WORKERS) * _WORKER_BYTES if work.is_synthetic else 0
    return Needs(
        disk=_COPIES * (data + weights) + state,
        memory=_PROCESS_BYTES + max(workers, cache + memory_rows),
        training=training,
    )


def _activation_bytes(network: nn.Module, *inputs: Any) -> float:
    """What the layers put out on the way, which the backward pass needs."""
    total = 0

    def count(_module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal total
        if isinstance(output, torch.Tensor):
            total += output.numel() * _FLOAT

    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(count) for module in leaves]
    network(*inputs)
    for hook in hooks:
        hook.remove()
    return float(total)


def _weight_bytes(network: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
