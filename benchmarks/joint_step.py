"""One step of joint training: `python -m benchmarks.joint_step --backbone resnet18`.

Ours in each precision beside the plain step that tests hold it against, `tests.reference.joint`, in float32.
Both learn the paper's losses, with the paper's views and widths, from random pictures: the time of a step
does not depend on what is in them. The plain step paints each kind of picture by itself, with E_str every
time, and shows each to D by itself; copies its negatives out of the memory, image by image; takes R1 every
step; has channels first. It shares what a fair alternative would: one pass of E_id over the pictures that
batch norm normalises together (x̂, x_θ, x_mix), the real images once through E_id and once through D, one
backward pass for E_id, E_str and G. Ours has channels last and takes R1 every fourth step; its time is the
mean of four.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measure import Cost, Row, finish_side, measured, row, side, side_arguments, table
from genreid.clustering.memory import InstanceMemory, Members, cluster_means
from genreid.data.batch import Batch
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.settings import DiscriminatorSettings, EncoderSettings, GeneratorSettings
from genreid.seeding import torch_rng
from genreid.training.joint import Optimisers, joint_step
from genreid.training.mixtures import mixing_of
from genreid.training.networks import Networks
from genreid.training.run import Run
from genreid.training.settings.joint import JointSettings
from genreid.training.settings.precision import Precision
from genreid.training.targets import Targets
from pipeline.params import load_params, section
from tests.reference import data as reference_data
from tests.reference import joint as reference
from tests.reference.contrast import draw_mix, nearest_partners

NUM_IMAGES, NUM_CLUSTERS = 12_936, 700
R1_EVERY = {"ours": 4, "field": 1}
SIZES = {"resnet18": (128, 64, 16), "resnet50": (256, 128, 4)}
"""Height, width and batch of the two measurements."""

WAYS = ("bfloat16", "float32")
"""Ways of our step in the table."""

Step = Callable[[int], dict[str, float]]
"""Makes the step of this number; its losses by name, weighted."""


@dataclass(frozen=True)
class Scene:
    """What a step is given, random. images (B, 3, H, W), meshes and turned ones (B, 1, H, W); pseudo-labels
    (N,) and memory rows (N, D), of which the batch has the first B."""

    images: Tensor
    meshes: Tensor
    turned: Tensor
    labels: Tensor
    rows: Tensor

    @classmethod
    def of(cls, embedding_dim: int, height: int, width: int, num: int) -> Scene:
        draw = torch.Generator().manual_seed(1)
        rows = F.normalize(torch.randn(NUM_IMAGES, embedding_dim, generator=draw), dim=1)
        labels = torch.randint(NUM_CLUSTERS, (NUM_IMAGES,), generator=draw)
        images = torch.randn(num, 3, height, width, generator=draw)
        meshes, turned = torch.rand(2, num, 1, height, width, generator=draw) * 2 - 1
        return cls(images, meshes, turned, labels, rows)


def compare(backbone: str) -> list[Row]:
    """A step of ours, in each way, beside the plain one: seconds a step, peak memory."""
    plain, theirs, _ = side("joint_step", "field", backbone=backbone)
    height, width, batch = SIZES[backbone]
    rows = []
    for way in WAYS:
        ours, losses, _ = side("joint_step", "ours", backbone=backbone, way=way)
        apart = max(abs(losses[name] - value) / abs(value) for name, value in theirs.items())
        share = ours.memory_mb / plain.memory_mb
        rows.append(
            row(
                "joint step",
                f"{backbone}, {height}×{width}, batch {batch}, {way}",
                batch,
                ours,
                plain,
                alternative="tests.reference.joint: plain PyTorch in float32, R1 every step",
                agreement=f"losses of the first step within {apart:.1g} of theirs; {share:.0%} of its memory",
            )
        )
    return rows


def our_step(networks: Networks, scene: Scene, settings: JointSettings) -> Step:
    """The project's, with the batch as its loader gives it."""
    index = torch.arange(len(scene.images))
    images, meshes, turned = (
        pixels.contiguous(memory_format=torch.channels_last)
        for pixels in (scene.images, scene.meshes, scene.turned)
    )
    batch = Batch(index, images, meshes, turned, torch.zeros(len(index)))
    mixing = mixing_of(scene.labels, cluster_means(scene.rows, scene.labels), settings)
    bank = InstanceMemory(scene.rows)
    targets = Targets(Members.of(scene.labels), bank.prototypes(scene.labels), bank)
    optimisers, run = Optimisers.of(networks, settings), Run(1, settings.steps_per_epoch)
    networks.encoder.train()

    def step(number: int) -> dict[str, float]:
        run.step, rng = number, np.random.default_rng(number)
        mixed = replace(batch, mix=mixing(index.numpy(), rng))
        losses = joint_step(networks, optimisers, mixed, targets, settings, run, rng)
        return {name: float(value) for name, value in losses.items()}

    return step


def plain_step(networks: Networks, scene: Scene, settings: JointSettings) -> Step:
    """The reference's."""
    index = torch.arange(len(scene.images))
    batch = reference_data.Batch(index, scene.images, scene.meshes, scene.turned, torch.zeros(len(index)))
    prototypes = cluster_means(scene.rows, scene.labels)
    epoch = reference.Epoch(scene.labels.numpy(), prototypes, F.normalize(scene.rows, dim=1), None)
    optimisers = reference.Optimisers.of(networks, settings)

    def step(number: int) -> dict[str, float]:
        rng, negatives = np.random.default_rng(number), torch_rng(settings.seed, "negatives", 0, number)
        mix = draw_mix(len(index), settings.generation.mixup_alpha, rng)
        if settings.contrast.mixup_partner == "nearest":
            mix = replace(mix, partner=nearest_partners(epoch.labels, prototypes))
        place, mixed = (0, number), replace(batch, mix=mix)
        return reference.joint_step(networks, optimisers, mixed, epoch, settings, place, rng, negatives)

    return step


STEPS = {"ours": our_step, "field": plain_step}


def paper_networks(backbone: str) -> Networks:
    """E_id, G and D at the paper's widths, with seeded weights."""
    torch.manual_seed(0)
    encoder = IdentityEncoder(EncoderSettings(backbone, 64, "imagenet", 1, 4, "average", None, "none"))
    generator = Generator(GeneratorSettings("codes", 16, 4, 128, 512), encoder.appearance_dim, 4)
    return Networks(encoder, generator, Discriminator(DiscriminatorSettings(32, 4, 3)))


def settings_of(which: str, way: Precision = "float32") -> JointSettings:
    """train_joint of params.yaml, with the paper's views and losses that teach all of E_id, E_str and G."""
    settings = section(load_params(Path("params.yaml")), "train_joint", JointSettings)
    return replace(
        settings,
        precision=way,
        generator_every=1,
        contrast_teaches_generator=True,
        contrast=replace(
            settings.contrast,
            views="generated",
            background="own",
            mixup="d_mixup",
            mixup_partner="random",
            mixup_mesh="own",
        ),
        generation=replace(settings.generation, r1_every=R1_EVERY[which]),
        detach_appearance=False,
    )


def prepared(which: str, backbone: str, way: Precision) -> Step:
    networks = paper_networks(backbone)
    scene = Scene.of(networks.encoder.embedding_dim, *SIZES[backbone])
    return STEPS[which](networks, scene, settings_of(which, way))


def run_side(arguments: argparse.Namespace) -> None:
    ours = arguments.side == "ours"
    step = prepared(arguments.side, arguments.backbone, arguments.way if ours else "float32")
    num = R1_EVERY["ours"] if ours else arguments.plain_steps
    # The first step allocates the optimisers' state and the gradients, which belongs to the memory of a step.
    losses, first = measured(lambda: step(0))
    _, cost = measured(lambda: [step(number) for number in range(num)])
    cost = Cost(cost.wall_s / num, cost.cpu_s / num, max(first.memory_mb, cost.memory_mb))
    del losses["discriminator/r1"]  # as many times heavier as it comes less often
    finish_side(arguments, cost, losses)


def profile(backbone: str, way: Precision) -> str:
    """Shares of the CPU time of our step (without R1) by kind of operation, as a Markdown table."""
    step = prepared("ours", backbone, way)
    step(1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        step(1)
    times = {event.key: event.self_cpu_time_total for event in seen.key_averages()}
    whole = sum(times.values())
    largest = sorted(times, key=times.__getitem__, reverse=True)[:12]
    lines = ["| operation | share |", "|---|---:|"]
    lines += [f"| `{name.removeprefix('aten::')}` | {times[name] / whole:.1%} |" for name in largest]
    return "\n".join(lines)


def main() -> None:
    parser = side_arguments(__doc__)
    parser.add_argument("--backbone", choices=sorted(SIZES), default="resnet18")
    parser.add_argument("--way", default="bfloat16", choices=WAYS)
    parser.add_argument("--profile", action="store_true", help="where the time of a step of ours goes")
    parser.add_argument("--plain-steps", type=int, default=2, help="steps of the reference that are timed")
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments)
    elif arguments.profile:
        print(profile(arguments.backbone, arguments.way))
    else:
        print(table(compare(arguments.backbone)))


if __name__ == "__main__":
    main()
