"""One step of joint training: `python -m benchmarks.joint_step --backbone resnet18`.

Ours in several ways beside `naive_step` in float32, at the paper's widths, on random pictures: the time of a
step does not depend on what is in them. Ours has channels last and takes R1 every fourth step (the naive one
every step); its time is the mean of four.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.measure import Cost, Row, finish_side, measured, row, side, side_arguments, table
from benchmarks.naive_step import naive_step
from genreid.clustering.memory import InstanceMemory, Members, Targets
from genreid.data.batch import Batch
from genreid.models.discriminator import Discriminator, DiscriminatorSettings
from genreid.models.encoder import EncoderSettings, IdentityEncoder
from genreid.models.generator import Generator, GeneratorSettings
from genreid.training.joint import Optimisers, joint_step
from genreid.training.run import Precision, Run
from genreid.training.settings import JointSettings, Networks
from pipeline.params import load_params, section

NUM_IMAGES, NUM_CLUSTERS = 12_936, 700
R1_EVERY = 4
SIZES = {"resnet18": (128, 64, 16), "resnet50": (256, 128, 4)}
"""Height, width and batch of the two measurements."""

WAYS = ("bfloat16", "float32")
"""Ways of our step in the table."""

Step = Callable[..., dict[str, float]]


def compare(backbone: str) -> list[Row]:
    """A step of ours, in each way, beside the naive one: seconds a step, peak memory."""
    naive, _, _ = side("joint_step", "field", backbone=backbone)
    height, width, batch = SIZES[backbone]
    rows = []
    for way in WAYS:
        ours, _, _ = side("joint_step", "ours", backbone=backbone, way=way)
        setting = f"{backbone}, {height}×{width}, batch {batch}, {way}"
        share = f"{ours.memory_mb / naive.memory_mb:.0%} of its memory"
        rows.append(
            row(
                "joint step",
                setting,
                batch,
                ours,
                naive,
                alternative="every pass by itself in float32, R1 every step",
                agreement=f"losses equal to 1e-4 in float32 at frozen batch norm (tests/benchmarks); {share}",
            )
        )
    return rows


def joined_step(
    networks: Networks,
    optimisers: Optimisers,
    batch: Batch,
    targets: Targets,
    settings: JointSettings,
    rng: np.random.Generator,
    run: Run,
) -> dict[str, float]:
    """The project's step, with the names of the naive one."""
    losses = joint_step(networks, optimisers, batch, targets, settings, run, rng)
    return {name.partition("/")[2]: float(value) for name, value in losses.items()}


def paper_networks(backbone: str) -> Networks:
    """E_id, G and D at the paper's widths, with seeded weights."""
    torch.manual_seed(0)
    encoder = IdentityEncoder(EncoderSettings(backbone, 64, "imagenet", 1, 4, "average", None, "none"))
    generator = Generator(
        GeneratorSettings(16, 4, 128, 512, carries_texture=False), encoder.appearance_dim, 4
    )
    return Networks(encoder, generator, Discriminator(DiscriminatorSettings(32, 4, 3)))


def settings_of_project(way: Precision = "float32") -> JointSettings:
    """train_joint of params.yaml, the paper's views and lazy R1, in one of the ways."""
    settings = section(load_params(Path("params.yaml")), "train_joint", JointSettings)
    generation = replace(settings.generation, r1_every=R1_EVERY)
    return replace(
        settings,
        precision=way,
        generator_every=1,
        contrast_teaches_generator=True,
        contrast=replace(settings.contrast, background="own", mixup_partner="random", mixup_mesh="own"),
        generation=generation,
        detach_appearance=False,
    )


def prepared(backbone: str, way: Precision) -> tuple[Networks, JointSettings]:
    """Networks and settings of our step in one of the ways."""
    networks, settings = paper_networks(backbone), settings_of_project(way)
    networks.encoder.train()
    return networks, settings


def scene(encoder: IdentityEncoder, height: int, width: int, num: int) -> tuple[Batch, Targets]:
    """A batch of random pictures and a memory of random rows."""
    draw = torch.Generator().manual_seed(1)
    rows = F.normalize(torch.randn(NUM_IMAGES, encoder.embedding_dim, generator=draw), dim=1)
    labels = torch.randint(NUM_CLUSTERS, (NUM_IMAGES,), generator=draw)
    bank = InstanceMemory(rows)
    batch = Batch(
        torch.arange(num),
        torch.randn(num, 3, height, width, generator=draw),
        torch.rand(num, 1, height, width, generator=draw) * 2 - 1,
        torch.rand(num, 1, height, width, generator=draw) * 2 - 1,
        torch.zeros(num),
    )
    return batch, Targets(Members.of(labels), bank.prototypes(labels), bank)


def channels_last(batch: Batch) -> Batch:
    """What the project's loader does with its batches."""
    layout = {"memory_format": torch.channels_last}
    names = ("image", "mesh", "mesh_rotated")
    return replace(batch, **{name: getattr(batch, name).contiguous(**layout) for name in names})


def run_side(arguments: argparse.Namespace) -> None:
    height, width, num = SIZES[arguments.backbone]
    networks, settings = prepared(arguments.backbone, arguments.way)
    batch, targets = scene(networks.encoder, height, width, num)
    if arguments.side == "ours":
        batch = channels_last(batch)
    optimisers = Optimisers.of(networks, settings)
    steps = R1_EVERY if arguments.side == "ours" else arguments.naive_steps
    run = Run(1, steps)

    def work(first: int, last: int) -> None:
        for number in range(first, last):
            run.step = number
            step = joined_step if arguments.side == "ours" else naive_step
            step(networks, optimisers, batch, targets, settings, np.random.default_rng(number), run)

    # The first step allocates the optimisers' state and the gradients, which belongs to the memory of a step.
    held = measured(lambda: work(0, 1))[1].memory_mb
    _, cost = measured(lambda: work(0, steps))
    cost = Cost(cost.wall_s / steps, cost.cpu_s / steps, max(held, cost.memory_mb))
    finish_side(arguments, cost, {})


def profile(backbone: str, way: Precision) -> str:
    """Shares of the CPU time of our step (without R1) by kind of operation, as a Markdown table."""
    height, width, num = SIZES[backbone]
    networks, settings = prepared(backbone, way)
    batch, targets = scene(networks.encoder, height, width, num)
    batch, optimisers = channels_last(batch), Optimisers.of(networks, settings)

    def step(number: int) -> None:
        run = Run(1, 2)
        run.step = number
        joined_step(networks, optimisers, batch, targets, settings, np.random.default_rng(number), run)

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
    parser.add_argument("--naive-steps", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments)
    elif arguments.profile:
        print(profile(arguments.backbone, arguments.way))
    else:
        print(table(compare(arguments.backbone)))


if __name__ == "__main__":
    main()
