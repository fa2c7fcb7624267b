"""What the configured run takes of disk and memory, roughly: measured rules of thumb, no promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from genreid.models.canvas import CANVAS_CHANNELS
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.settings import DiscriminatorSettings, EncoderSettings, GeneratorSettings

GB = 1e9

_BYTES_OF_VIEW_PER_PIXEL = 0.5  # a grey PNG of a body
_BYTES_OF_IMAGE_PER_PIXEL = 1.8  # a colour PNG of the benchmark
_BYTES_OF_MESH = 800
_BYTES_OF_MASK_PER_PIXEL = 0.23  # a grey PNG in 16 levels: 1,886 bytes at 128×64
_BYTES_OF_SCENE_PER_PIXEL = 3.1  # colours and silhouette, which zstd hardly makes smaller
_MEMORY_OF_SCENE_PER_PIXEL = 8.2  # as a table and as an array, both at once when they are read back
_PROCESS_BYTES = 1.2 * GB  # torch, faiss and compiled kernels, before any work
_WORKER_BYTES = 1.0 * GB  # a process that draws scenes: the empty streets of all cameras
_MOST_WORKERS = 4
_BYTES_OF_BODY = 6890 * (6 + 5)  # of each vertex its place, its colour and how that is known
_LARGEST_CACHE_BYTES = 2 * 1024**3
_FLOAT = 4
GPU_BYTES = 1.0 * GB
"""What a GPU holds besides: its context, and what convolutions work in. Assumed, not measured."""


@dataclass(frozen=True)
class Workload:
    """What is trained on what: images, their native and training size, batches, and the networks.

    num_painted: pictures that the generator paints of an image in a step. warps: whether persons are turned
    by warping, along a body of SMPL's size. num_scenes, scene_px: what the
    mesh regressor is fitted on, 0 where none is.
    """

    num_images: int
    native_px: tuple[int, int]
    training_px: tuple[int, int]
    num_yaws: int
    warm_up_batch: int
    joint_batch: int
    num_painted: int
    warps: bool
    is_synthetic: bool
    num_workers: int
    num_scenes: int
    scene_px: tuple[int, int]
    encoder: EncoderSettings
    generator: GeneratorSettings
    discriminator: DiscriminatorSettings


@dataclass(frozen=True)
class Needs:
    """Bytes: outs, in the workspace and once more in DVC's cache; state, what a stage keeps beside them
    until it has ended; memory of the machine; memory of the device that trains (on the CPU, a part of it) in
    the warm-up and in the stages with the generator.
    """

    outs: float
    state: float
    memory: float
    warm_up: float
    joint: float

    @property
    def disk(self) -> float:
        return 2 * self.outs + self.state

    @property
    def training(self) -> float:
        return max(self.warm_up, self.joint)


def estimate_needs(work: Workload) -> Needs:
    """The needs of a whole run. Networks are built without their weights, so that this takes no memory."""
    height, width = work.training_px
    with torch.device("meta"):
        encoder = IdentityEncoder(work.encoder)
        generator = Generator(work.generator, encoder.appearance_dim, work.encoder.num_stripes)
        discriminator = Discriminator(work.discriminator)
        image = torch.empty(2, 3, height, width)
        shown = torch.empty(2, CANVAS_CHANNELS if generator.repairs else 1, height, width)
        of_encoder = saved_bytes(encoder, image) / 2
        of_generator = saved_bytes(generator, shown, torch.empty(2, encoder.appearance_dim)) / 2
        of_discriminator = saved_bytes(discriminator, image) / 2
    encoder_bytes, rest_bytes = (
        _weight_bytes(encoder),
        _weight_bytes(generator) + _weight_bytes(discriminator),
    )
    # weights, gradients, two moments; a joint step encodes and judges an image and four painted ones
    warm_up = 4 * encoder_bytes + work.warm_up_batch * of_encoder
    joint_images = 5 * of_encoder + work.num_painted * of_generator + 5 * of_discriminator
    joint = 4 * (encoder_bytes + rest_bytes) + work.joint_batch * joint_images

    native = work.native_px[0] * work.native_px[1]
    meshes = work.num_images * (native * _BYTES_OF_MASK_PER_PIXEL + _BYTES_OF_MESH)
    views = work.num_images * native * work.num_yaws * _BYTES_OF_VIEW_PER_PIXEL
    images = work.num_images * native * _BYTES_OF_IMAGE_PER_PIXEL if work.is_synthetic else 0
    weights = 2 * encoder_bytes + 2 * rest_bytes
    of_scene = work.scene_px[0] * work.scene_px[1]
    # Of the stages one at a time: the pieces of shards, scenes, or a network with its moments.
    state = max(
        meshes,
        views,
        work.num_scenes * of_scene * _BYTES_OF_SCENE_PER_PIXEL,
        3 * (encoder_bytes + rest_bytes),
    )
    # decoded images, decoded views with turned persons, bodies with textures: each as far as its cache goes
    pixels = height * width
    of_views = pixels * (work.num_yaws + (4 * (work.num_yaws - 1) if work.warps else 0))
    of_body = _BYTES_OF_BODY + 3 * pixels if work.warps else 0
    cache = sum(
        min(num_bytes * work.num_images, _LARGEST_CACHE_BYTES)
        for num_bytes in (3 * pixels, of_views, of_body)
    )
    memory_rows = 2 * _FLOAT * work.num_images * encoder.embedding_dim
    draws = work.is_synthetic or work.num_scenes > 0
    workers = min(work.num_workers, _MOST_WORKERS) * _WORKER_BYTES if draws else 0
    return Needs(
        outs=images + meshes + views + weights,
        state=state,
        memory=_PROCESS_BYTES
        + max(workers, cache + memory_rows, work.num_scenes * of_scene * _MEMORY_OF_SCENE_PER_PIXEL),
        warm_up=warm_up,
        joint=joint,
    )


def saved_bytes(network: nn.Module, *inputs: Any) -> int:
    """What autograd keeps for the backward pass, weights and statistics left out; shared memory once."""
    own = {tensor.untyped_storage()._cdata for tensor in network.state_dict().values()}
    kept: dict[int, torch.UntypedStorage] = {}  # they stay alive, so that no address comes twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(*inputs)
    return sum(storage.nbytes() for storage in kept.values())


def _weight_bytes(network: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
