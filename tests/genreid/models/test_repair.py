"""A generator that repairs: nothing is corrected at first, and never the background."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from genreid.errors import GenreidError
from genreid.models.canvas import canvas_of
from genreid.models.checkpoint import generator_checkpoint, load_generator
from genreid.models.generator import Generator
from genreid.models.initialisation import build_discriminator, build_generator
from genreid.models.settings import DiscriminatorSettings
from genreid.preprocessing import Preprocessing
from tests.genreid.models.small import GENERATOR

SETTINGS = replace(GENERATOR, paints="views")


def _generator(*, learnt: bool = False) -> Generator:
    generator = build_generator(SETTINGS, appearance_dim=24, num_stripes=4, seed=0)
    if learnt:
        draw = torch.Generator().manual_seed(1)
        last = generator.decoder.to_pixels[-1].conv  # type: ignore[union-attr]
        with torch.no_grad():
            last.weight.copy_(torch.randn(last.weight.shape, generator=draw))  # type: ignore
    return generator


def _parts(num: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mesh, picture and shares of `num` canvases; the upper half shows nobody."""
    draw = torch.Generator().manual_seed(2)
    shares = torch.rand(num, 3, 32, 16, generator=draw)
    shares[:, :, :16] = 0
    picture = torch.randn(num, 3, 32, 16, generator=draw)
    return 2 * torch.rand(num, 1, 32, 16, generator=draw) - 1, picture, shares


def test_at_first_it_gives_the_warped_view_to_the_last_bit() -> None:
    mesh, picture, shares = _parts()
    assert torch.equal(_generator()(canvas_of(mesh, picture, shares), torch.randn(2, 24)), picture)


def test_what_has_been_learnt_is_added_by_the_persons_share() -> None:
    """Nothing where nobody is; elsewhere, a correction that does not know the share grows with it."""
    mesh, picture, shares = _parts()
    generator, codes = _generator(learnt=True), torch.randn(2, 24)
    canvas = canvas_of(mesh, picture, shares)
    change = generator(canvas, codes) - picture
    assert torch.equal(change[:, :, :16], torch.zeros(2, 3, 16, 16))
    said = generator.decoder(generator.structure(canvas), codes, canvas)
    torch.testing.assert_close(change, said * shares[:, 2:], atol=1e-5, rtol=1e-4)
    assert change.abs().amax() > 0.1


@pytest.mark.parametrize("part", ["mesh", "picture", "shares", "codes"])
def test_the_correction_follows_all_that_it_is_shown(part: str) -> None:
    generator, (mesh, picture, shares), codes = _generator(learnt=True), _parts(), torch.randn(2, 24)
    shown = {"mesh": mesh, "picture": picture, "shares": shares, "codes": codes}
    for value in shown.values():
        value.requires_grad_()
    corrected = generator(canvas_of(mesh, picture, shares), codes)
    (corrected - picture).square().sum().backward()
    gradient = shown[part].grad
    assert gradient is not None and gradient.abs().sum() > 0


def test_what_starts_silent_learns_everywhere_after_a_step() -> None:
    generator, (mesh, picture, shares), codes = _generator(), _parts(), torch.randn(2, 24)
    optimiser = torch.optim.SGD(generator.parameters(), lr=0.1)
    for step in range(2):
        optimiser.zero_grad()
        generator(canvas_of(mesh, picture, shares), codes).square().sum().backward()
        moved = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in generator.parameters()]
        optimiser.step()
        assert sum(moved) == 2 if step == 0 else sum(moved) > 0.9 * len(moved)


def test_a_checkpoint_says_what_the_generator_paints() -> None:
    generator = _generator(learnt=True)
    judge = build_discriminator(DiscriminatorSettings(4, 1, 1), 0)
    again, _ = load_generator(generator_checkpoint(generator, judge, Preprocessing(64, 32)))
    canvas, codes = canvas_of(*_parts()), torch.randn(2, 24)
    assert again.repairs and torch.equal(again(canvas, codes), generator.eval()(canvas, codes))


def test_a_canvas_of_an_odd_size_is_refused() -> None:
    with pytest.raises(GenreidError, match="30×16; height and width must be multiples of 4"):
        _generator()(torch.zeros(1, 7, 30, 16), torch.zeros(1, 24))
