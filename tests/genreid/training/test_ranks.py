"""Several ranks against one process: statistics and sums by themselves, and the three trainings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genreid.data.part import Part
from genreid.data.settings import AugmentationSettings
from genreid.data.transforms import augment
from genreid.errors import GenreidError
from genreid.seeding import numpy_rng
from genreid.training.features import piece_of
from genreid.training.ranks import Ranks, SeveralRanks

from .harness import same
from .ranked import Together, alone, together, train
from .test_against_reference import changed, generator_settings, joint_settings, warm_up_settings


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    with together(2, tmp_path_factory.mktemp("ranks") / "meeting") as ranks:
        yield ranks


# Batch norm


def normed(ranks: Ranks, x: Tensor, cut: int, norm: nn.Module, twice: bool) -> dict[str, Any]:
    """Of this rank's rows of x (N, …), cut in two: what `norm` makes of them, and gradients of a sum of
    squares (and of the squares of those, where `twice`) that no mean and no deviation leaves as it was."""
    rows = slice(0, cut) if ranks.rank == 0 else slice(cut, len(x))
    if ranks.num == 1:
        rows = slice(0, len(x))
    own = x[rows].clone().requires_grad_()
    with ranks.statistics("synchronised"):
        made = norm(own)
    value = (made * torch.linspace(-1, 2, x.numel(), dtype=x.dtype).view_as(x)[rows]).square().sum()
    (slope,) = torch.autograd.grad(value, own, create_graph=True)
    ((slope.square().sum() if twice else 0 * slope.sum()) + value).backward()
    assert own.grad is not None
    gradients = {name: weight.grad for name, weight in norm.named_parameters()}
    return {"made": made.detach(), "slope": own.grad, "gradients": gradients, "buffers": norm.state_dict()}


def a_norm(of_maps: bool, **options: Any) -> nn.Module:
    norm = (nn.BatchNorm2d if of_maps else nn.BatchNorm1d)(3, **options).double()
    with torch.no_grad():
        for weight in norm.parameters():
            weight.copy_(torch.tensor([0.5, -1.5, 2.0]))
    return norm


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("cut", [4, 2, 1])
@pytest.mark.parametrize("of_maps", [True, False])
@pytest.mark.parametrize("options", [{}, {"affine": False}, {"track_running_stats": False}], ids=str)
def test_batch_norm_over_ranks_is_that_of_the_joined_batch(
    two: Together, twice: bool, cut: int, of_maps: bool, options: Any
) -> None:
    """Values, gradients, gradients of gradients and running statistics, of parts of 4 and 4, 2 and 6, 1 and
    7."""
    torch.manual_seed(0)
    x = 1e3 + torch.randn(8, 3, *((5, 4) if of_maps else ()), dtype=torch.float64)
    norm = a_norm(of_maps, **options)
    parts = two.do(normed, x, cut, norm, twice)
    whole = normed(Ranks(), x, cut, norm, twice)
    near: Any = {"rtol": 1e-7, "atol": 1e-7}
    for name in ("made", "slope"):
        torch.testing.assert_close(torch.cat([part[name] for part in parts]), whole[name], **near)
    for name, gradient in whole["gradients"].items():
        torch.testing.assert_close(sum(part["gradients"][name] for part in parts), gradient, **near)
    for part in parts:
        torch.testing.assert_close(part["buffers"], whole["buffers"], **near)


def in_evaluation(ranks: Ranks, x: Tensor) -> Tensor:
    norm = a_norm(False).eval()
    with ranks.statistics("synchronised"):
        return norm(x + ranks.rank).detach()


def test_in_evaluation_mode_ranks_know_nothing_of_each_other(two: Together) -> None:
    x = torch.randn(2, 3, dtype=torch.float64)
    expected = [a_norm(False).eval()(x + rank).detach() for rank in range(2)]
    assert all(map(torch.equal, two.do(in_evaluation, x), expected))


# What goes between ranks


def gathered(ranks: Ranks, values: Tensor) -> tuple[Tensor, Tensor]:
    part = ranks.part(len(values))
    own = values[part.rows].clone().requires_grad_()
    whole = ranks.gather(own, part)
    # A loss of the whole batch, in which places matter, as every rank works it out; and one of the part.
    of_whole = (whole.cumsum(0).square() * torch.arange(1.0, 1 + len(values))).mean()
    ranks.weigh(of_whole + own.square().mean(), part).backward()
    assert own.grad is not None
    return whole.detach(), own.grad


def test_gathered_rows_stand_in_their_order_and_gradients_come_back(two: Together) -> None:
    values = torch.tensor([0.5, -1.0, 2.0, 0.25, 3.0])
    expected = values.clone().requires_grad_()
    weights = torch.arange(1.0, 6)
    ((expected.cumsum(0).square() * weights).mean() + expected.square().mean()).backward()
    found = two.do(gathered, values)
    assert all(torch.equal(whole, values) for whole, _ in found)
    torch.testing.assert_close(torch.cat([gradient for _, gradient in found]), expected.grad)


def averaged(ranks: Ranks, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    part = ranks.part(len(values))
    own, chosen = values[part.rows], mask[part.rows]
    within = (own * chosen).sum() / chosen.sum().clamp(min=1)
    losses = {"mean": own.mean(), "within": ranks.reweigh(within, chosen.sum(), part)}
    told = ranks.mean(losses, part)
    return told["mean"], told["within"]


@pytest.mark.parametrize("mask", [[1, 0, 1, 1, 1], [0, 0, 1, 0, 1], [0, 0, 0, 0, 0]])
def test_means_are_those_of_all_images_and_of_all_their_pixels(two: Together, mask: list[int]) -> None:
    values, chosen = torch.tensor([1.0, 2, 4, 8, 16]), torch.tensor(mask)
    within = sum(v for v, m in zip(values.tolist(), mask, strict=True) if m) / max(1, sum(mask))
    for mean, found in two.do(averaged, values, chosen):
        assert mean == pytest.approx(31 / 5) and found == pytest.approx(within)


def first_and_aligned(ranks: Ranks) -> tuple[int, Tensor, Tensor]:
    norm = nn.BatchNorm1d(2)
    with torch.no_grad():
        norm.weight.fill_(ranks.rank + 5.0)
    norm(torch.tensor([[1.0, 2.0], [3.0, 2.0]]) * (1 + ranks.rank))
    own = norm.running_mean
    assert own is not None
    ranks.share_running(norm, "own")
    mean = own.clone()
    ranks.align(norm)
    return ranks.first(lambda: 7 + ranks.rank), norm.weight.detach(), mean


def test_what_is_made_once_is_that_of_the_first_rank(two: Together) -> None:
    """And running statistics of each rank's own images become the mean: of 0.1·2 and 0.1·4, for one."""
    for found, weight, mean in two.do(first_and_aligned):
        assert found == 7 and weight.tolist() == [5.0, 5.0]
        assert mean.tolist() == pytest.approx([0.3, 0.3])


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 8])
@pytest.mark.parametrize("num", [16, 17, 100])
def test_parts_make_up_the_batch(monkeypatch: pytest.MonkeyPatch, num: int, num_ranks: int) -> None:
    parts, pieces = [], []
    for rank in range(num_ranks):
        ranks = of_many(monkeypatch, rank, num_ranks)
        parts.append(ranks.part(num))
        pieces.append(piece_of(ranks, num, 4))
    for found in (parts, pieces):
        covered = [row for part in found for row in range(num)[part.rows]]
        assert covered == list(range(num))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(piece.rows.start % 4 == 0 or not len(piece) for piece in pieces)


def of_many(monkeypatch: pytest.MonkeyPatch, rank: int, num: int) -> SeveralRanks:
    monkeypatch.setattr("torch.distributed.get_rank", lambda: rank)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: num)
    return SeveralRanks(torch.device("cpu"))


def test_a_batch_too_small_for_its_ranks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GenreidError, match="8 ranks share a batch of 15 images: expected two for each"):
        of_many(monkeypatch, 0, 8).part(15)


def test_parts_of_a_batch_are_changed_as_the_whole_is() -> None:
    images = torch.rand(7, 3, 16, 8)
    settings = AugmentationSettings(flip=0.5, pad_px=2, erase=0.6, colour=0.3)
    whole = augment(images, settings, numpy_rng(1))
    parts = [Part(slice(0, 3), 7), Part(slice(3, 7), 7)]
    found = [augment(images[part.rows], settings, numpy_rng(1), part) for part in parts]
    assert torch.equal(torch.cat(found), whole)
    assert not torch.equal(whole, images) and not torch.equal(F.relu(whole), whole)


# The trainings


def settings_of(kind: str) -> Any:
    """As in the paper, with all weights different and uneven parts; on every processor in float32."""
    make: Any = {"warm_up": warm_up_settings, "generator": generator_settings, "joint": joint_settings}
    settings = replace(make[kind]("paper"), precision="float32")
    return replace(settings, identities_per_batch=3) if kind == "warm_up" else settings


def assert_near(ours: dict[str, Any], plain: dict[str, Any], tolerance: float = 1e-4) -> None:
    assert len(ours["steps"]) == len(plain["steps"]) > 0
    for number, (mine, theirs) in enumerate(zip(ours["steps"], plain["steps"], strict=True)):
        assert mine == pytest.approx(theirs, rel=tolerance, abs=tolerance), number


KINDS = ("warm_up", "generator", "joint")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_losses_of_twenty_exact_steps(two: Together, kind: str, tmp_path: Path) -> None:
    settings = replace(settings_of(kind), epochs=2, steps_per_epoch=10, lr_step_epochs=1)
    first, second = two.do(train, kind, tmp_path, settings, True)
    plain = alone(kind, tmp_path, settings, True)
    assert len(plain["steps"]) == 20
    assert_near(first, plain)
    assert first["figures"][-1] == pytest.approx(plain["figures"][-1], rel=1e-4, abs=1e-4)
    assert all(same(first["weights"][name], second["weights"][name]) for name in first["weights"])
    assert not second["states"]  # rank 0 alone keeps


@pytest.mark.parametrize("kind", KINDS)
def test_losses_of_three_steps(two: Together, kind: str, tmp_path: Path) -> None:
    settings = replace(settings_of(kind), epochs=1, steps_per_epoch=3)
    first, _ = two.do(train, kind, tmp_path, settings, False)
    assert_near(first, alone(kind, tmp_path, settings, False))


VARIANTS: dict[str, dict[str, Any]] = {
    "warped, mixed on the body, nearest": {
        "contrast.views": "warped",
        "contrast.mixup": "body",
        "contrast.mixup_partner": "nearest",
        "contrast.memory_of": "views",
        "cluster_on": "fresh",
        "cluster_views": "turned",
        "mirror": 0.5,
    },
    "augmented, maps mixed": {"contrast.views": "augmented", "contrast.mixup": "f_mixup"},
    "pasted, pixels mixed": {
        "contrast.background": "other_cameras",
        "contrast.views": "copy_paste",
        "contrast.mixup": "mixup",
    },
    "before other backgrounds": {
        "contrast.background": "other_cameras",
        "generation.same_person": 2.9,
        "detach_appearance": True,
        "generated_batchnorm": "shared",
    },
    "clusters and cameras": {
        "cluster_on": "fresh",
        "contrast.memory": "cluster",
        "camera_contrast.within": 1.3,
        "camera_contrast.across": 0.6,
        "camera_contrast.num_negatives": 3,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_other_ways_of_joint_training(two: Together, name: str, tmp_path: Path) -> None:
    settings = replace(settings_of("joint"), epochs=2, steps_per_epoch=2)
    for key, value in VARIANTS[name].items():
        settings = changed(settings, key, value)
    first, _ = two.do(train, "joint", tmp_path, settings, True)
    assert_near(first, alone("joint", tmp_path, settings, True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"generator.paints": "views", "generation.same_person": 2.9},
        {"reconstruction_epochs": 1, "generation.same_person": 2.9},
    ],
    ids=["repairs", "reconstructs"],
)
def test_other_ways_of_pretraining(two: Together, changes: dict[str, Any], tmp_path: Path) -> None:
    settings = replace(settings_of("generator"), epochs=2, steps_per_epoch=2)
    for key, value in changes.items():
        settings = changed(settings, key, value)
    first, _ = two.do(train, "generator", tmp_path, settings, True)
    assert_near(first, alone("generator", tmp_path, settings, True))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_with_another_number_of_ranks(two: Together, kind: str, tmp_path: Path) -> None:
    """From any state of the other: the last one while images are embedded, and of a step in between."""
    settings = replace(settings_of(kind), epochs=2, steps_per_epoch=2)
    plain = alone(kind, tmp_path, settings, True)
    first, _ = two.do(train, kind, tmp_path, settings, True)
    for place in (0, len(first["states"]) // 2):
        after = alone(kind, tmp_path, settings, True, first["states"][place])
        assert after["figures"][-1] == pytest.approx(plain["figures"][-1], rel=1e-4, abs=1e-4)
    for place in (0, len(plain["states"]) // 2):
        later, _ = two.do(train, kind, tmp_path, settings, True, plain["states"][place])
        assert later["figures"][-1] == pytest.approx(plain["figures"][-1], rel=1e-4, abs=1e-4)


def test_own_statistics_are_another_training_and_the_same_on_all_ranks(two: Together, tmp_path: Path) -> None:
    settings = replace(settings_of("warm_up"), epochs=1, steps_per_epoch=2)
    plain = alone("warm_up", tmp_path, settings, False)
    first, second = two.do(train, "warm_up", tmp_path, replace(settings, rank_statistics="own"), False)
    assert same(first["weights"]["encoder"], second["weights"]["encoder"])
    assert first["steps"][0] != pytest.approx(plain["steps"][0], rel=1e-3)
