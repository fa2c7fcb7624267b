"""An encoder is timed, and stays as it is."""

from __future__ import annotations

import pytest
import torch

from genreid.models.initialisation import build_encoder
from genreid.models.speed import Speed
from tests.genreid.training.conftest import CPU, ENCODER


def test_a_network_is_timed_and_stays_as_it_is() -> None:
    encoder = build_encoder(ENCODER, 0).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    small, large = (Speed.of(encoder, size, CPU) for size in ((64, 32), (256, 128)))
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert encoder.training and all(parameter.grad is None for parameter in encoder.parameters())
    assert 0 < small.looking < large.looking and small.learning < large.learning


@pytest.mark.parametrize("bfloat16", [False, True])
def test_learning_is_timed_in_the_precision_of_training(
    bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, seen = build_encoder(ENCODER, 0), []
    plain = torch.nn.Conv2d.forward

    def forward(layer: torch.nn.Conv2d, pictures: torch.Tensor) -> torch.Tensor:
        found = plain(layer, pictures)
        seen.append((layer.training, found.dtype))
        return found

    monkeypatch.setattr(torch.nn.Conv2d, "forward", forward)
    Speed.of(encoder, (64, 32), CPU, bfloat16=bfloat16)
    assert set(seen) == {(False, torch.float32), (True, torch.bfloat16 if bfloat16 else torch.float32)}
