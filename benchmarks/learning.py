"""A step of learning in bfloat16 beside float32: `python -m benchmarks.learning --network regressor`.

What `precision: auto` chooses between. Forwards and backwards through the default's networks at its sizes and
through the encoder of the recipe for photographs; random pictures, and a loss that asks for every answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import Cost, Row, finish_side, measured, row, side, side_arguments, table
from genreid.mesh.regressor import Regressor
from genreid.models.encoder import IdentityEncoder
from genreid.training.precision import autocast
from genreid.training.settings.precision import Precision
from genreid.training.settings.regressor import FitSettings
from pipeline.params import load_params, section
from stages.shared.settings.pretrain_encoder import PretrainEncoderSettings

NETWORKS = ("regressor", "encoder", "photographs")
PRECISIONS: dict[str, Precision] = {"ours": "bfloat16", "field": "float32"}
PHOTOGRAPHS: dict[str, Any] = {"backbone": "mobilenetv2_100", "base_width": 64, "stem": "imagenet"}
BATCH, NUM_STEPS = 64, 6


def compare(network: str) -> Row:
    """Seconds a step of 64 pictures in bfloat16 and in float32."""
    costs = {name: side("learning", name, network=network)[:2] for name in PRECISIONS}
    (ours, size), (field, _) = costs["ours"], costs["field"]
    setting = f"{network}, {size['height']}×{size['width']}, batch {BATCH}, bfloat16"
    return row("learning", setting, BATCH, ours, field, alternative="the same step in float32")


def network_of(name: str) -> tuple[nn.Module, tuple[int, int]]:
    """A network with seeded weights, and the height and width of its pictures."""
    torch.manual_seed(0)
    params = load_params(Path("params.yaml"))
    if name == "regressor":
        network = section(params, "fit_regressor", FitSettings).network
        return Regressor(network), (network.height_px, network.width_px)
    encoder = replace(section(params, "pretrain_encoder", PretrainEncoderSettings).encoder, pretrained="none")
    if name == "photographs":
        return IdentityEncoder(replace(encoder, **PHOTOGRAPHS)), (128, 64)
    return IdentityEncoder(encoder), (
        params.value("prepare_data.height_px"),
        params.value("prepare_data.width_px"),
    )


def step_of(network: nn.Module, size_px: tuple[int, int], precision: Precision) -> Callable[[], None]:
    network.train().to(memory_format=torch.channels_last)
    pictures = torch.randn(BATCH, 3, *size_px).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with autocast(pictures.device, precision):
            answer = network(pictures)
        network.zero_grad(set_to_none=True)
        torch.stack([part.float().square().mean() for part in _tensors(answer)]).sum().backward()

    return step


def _tensors(answer: Any) -> list[Tensor]:
    return [part for part in vars(answer).values() if part.requires_grad]


def run_side(arguments: argparse.Namespace) -> None:
    network, size_px = network_of(arguments.network)
    step = step_of(network, size_px, PRECISIONS[arguments.side])
    step()  # the first one chooses kernels
    _, cost = measured(lambda: [step() for _ in range(NUM_STEPS)])
    cost = Cost(cost.wall_s / NUM_STEPS, cost.cpu_s / NUM_STEPS, cost.memory_mb)
    finish_side(arguments, cost, {"height": size_px[0], "width": size_px[1]})


def main() -> None:
    parser = side_arguments(__doc__)
    parser.add_argument("--network", choices=NETWORKS, default="regressor")
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments)
    else:
        print(table([compare(arguments.network)]))


if __name__ == "__main__":
    main()
