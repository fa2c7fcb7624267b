"""The loops of `genreid.training` beside those of the reference: what stands after each step of both.

Both get the same networks and settings. Networks compute in float64 inside, so that what an order of
summation leaves stays far below what a change of the method would.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genreid.data.background import without_person
from genreid.data.batch import Batch
from genreid.data.part import Part
from genreid.models.discriminator import Discriminator
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.models.settings import DiscriminatorSettings, EncoderSettings, GeneratorSettings
from genreid.progress import Report, Silent
from genreid.training.generator import pretrain_generator
from genreid.training.joint import train_joint
from genreid.training.loader import Loader
from genreid.training.networks import Networks
from genreid.training.settings.generator import GeneratorPretrainingSettings
from genreid.training.settings.joint import JointSettings
from genreid.training.settings.warm_up import WarmUpSettings
from genreid.training.warm_up import warm_up
from tests.reference import contrast as reference_contrast
from tests.reference import generator as reference_generator
from tests.reference import joint as reference_joint
from tests.reference import warm_up as reference_warm_up
from tests.reference.data import Data
from tests.reference.learning import Step

from .conftest import CPU, ENCODER, GENERATOR, Boxes

DISCRIMINATOR = DiscriminatorSettings(width=4, num_blocks=1, num_scales=2)
TOLERANCE = 2e-5
"""Of the length of a tensor: losses, memories, prototypes, statistics. Rounding leaves a tenth of it."""

SLOPES = 3e-4
"""Of what an optimiser has gathered. Rounding leaves a tenth of it: contrast is computed in float32."""

WAY = 0.1
"""Of the way that weights have gone: Adam goes as far for a slope that is nothing but rounding as for any
other. What it has gathered, and its rate, are held more closely."""

NOTHING = 1e-11
"""An entry. What is nothing but rounding is not compared: shifts before a norm do not learn."""

State = dict[str, dict[str, Tensor]]


@dataclass(frozen=True)
class Pair:
    """Ours: what stands after each step, the batches that were made, and what each epoch told. The
    reference's steps. start: the weights that both began with."""

    steps: list[Step]
    batches: list[Batch]
    reports: list[Report]
    reference: list[Step]
    start: State


def run_warm_up(boxes: Boxes, settings: WarmUpSettings, *, exact: bool = True) -> Pair:
    encoder = build_encoder(settings.encoder, settings.seed)
    # A loop must not rely on the mode that its encoder comes in.
    (ours,), (plain,), start = _twice([encoder.eval()], exact)
    watch = Watch()
    told = list(warm_up(ours, boxes.images, settings, agreement=boxes.agreement, **watch.surroundings))
    reference = list(reference_warm_up.warm_up(plain, data_of(boxes), settings))
    return Pair(watch.steps, [], told, reference, {"encoder": start[0]})


def run_generator(boxes: Boxes, settings: GeneratorPretrainingSettings, *, exact: bool = True) -> Pair:
    made = _networks(ENCODER, settings.generator, settings.discriminator)
    acquaint(made["encoder"], made["generator"], boxes)
    order = ("generator", "discriminator", "encoder")
    ours, plain, start = _twice([made[name].train() for name in order], exact)
    watch, loader = Watch(also={"encoder": ours[2]}), watched(boxes)
    generator, discriminator, encoder = ours
    told = list(
        pretrain_generator(
            generator, discriminator, encoder, boxes.images, loader, settings, **watch.surroundings
        )
    )
    painter, judge, seer = plain
    reference = list(reference_generator.pretrain_generator(painter, judge, seer, data_of(boxes), settings))
    return Pair(watch.steps, loader.made, told, reference, dict(zip(order, start, strict=True)))


def run_joint(
    boxes: Boxes,
    settings: JointSettings,
    *,
    generator: GeneratorSettings = GENERATOR,
    exact: bool = True,
) -> Pair:
    made = _networks(ENCODER, generator, DISCRIMINATOR)
    acquaint(made["encoder"], made["generator"], boxes)
    ours, plain, start = _twice([network.eval() for network in made.values()], exact)
    watch, loader = Watch(), watched(boxes)
    networks, agreement = Networks(*ours), boxes.agreement
    told = list(
        train_joint(networks, boxes.images, loader, settings, agreement=agreement, **watch.surroundings)
    )
    reference = list(reference_joint.train_joint(Networks(*plain), data_of(boxes), settings))
    return Pair(watch.steps, loader.made, told, reference, dict(zip(made, start, strict=True)))


def _networks(
    encoder: EncoderSettings, generator: GeneratorSettings, discriminator: DiscriminatorSettings
) -> dict[str, nn.Module]:
    built, judge = build_encoder(encoder, 0), build_discriminator(discriminator, 0)
    sharpen(judge)
    return {
        "encoder": built,
        "generator": build_generator(generator, built.appearance_dim, encoder.num_stripes, 0),
        "discriminator": judge,
    }


@torch.no_grad()
def sharpen(discriminator: nn.Module) -> None:
    """As after some training: with its first weights D answers 0, to 1e-5, whatever it is shown."""
    for part in discriminator.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.mul_((2 / part.weight[0].numel()) ** 0.5 / part.weight.std())


@torch.no_grad()
def acquaint(encoder: nn.Module, generator: nn.Module, boxes: Boxes) -> None:
    """As after the stages before: E_id's statistics and G's units of codes are those of the images."""
    image = boxes.loader.images_at(np.arange(len(boxes.images)))
    encoder.train()
    for _ in range(20):
        encoder(image)
    generator.decoder.start_from(encoder.eval()(image).appearance)


def _twice(networks: list[Any], exact: bool) -> tuple[list[Any], list[Any], list[dict[str, Tensor]]]:
    """Two copies of networks, and their weights."""
    if exact:
        for network in networks:
            compute_exactly(network)
    copies = [copy.deepcopy(networks) for _ in range(2)]
    return copies[0], copies[1], [network.state_dict() for network in networks]


def compute_exactly(network: nn.Module) -> None:
    """In float64, but for what D says: R1 asks for float32 there. And no norm divides by next to nothing,
    which would blow up what rounding leaves, nor is there the kink of a ReLU, where flat maps lie."""

    def widen(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(value.double() if isinstance(value, Tensor) else value for value in given)

    def narrow(module: nn.Module, given: Any, result: Tensor) -> Tensor:
        return result.float()

    for norm in network.modules():
        if hasattr(norm, "eps") and not isinstance(norm, nn.BatchNorm1d):
            norm.eps = 0.1  # type: ignore[assignment]
    for part in list(network.modules()):
        for name, inner in part.named_children():
            if isinstance(inner, nn.ReLU | nn.LeakyReLU):
                setattr(part, name, nn.SiLU())
    for part in network.double().children():
        for inner in part if isinstance(part, nn.ModuleList) else [part]:
            inner.register_forward_pre_hook(widen)
            if isinstance(network, Discriminator):
                inner.register_forward_hook(narrow)


class Watched(Loader):
    """Keeps the batches that it makes."""

    made: list[Batch]

    def batch(self, *arguments: Any, **options: Any) -> Batch:
        self.made.append(super().batch(*arguments, **options))
        return self.made[-1]


def watched(boxes: Boxes) -> Watched:
    loader: Any = copy.copy(boxes.loader)
    loader.__class__, loader.made = Watched, []
    return loader


@dataclass
class Watch:
    """Checkpoints that put down what stands after each step, in the reference's form.

    also: what the run does not keep itself. Losses of a step are what the meter's sums have grown by.
    """

    also: dict[str, nn.Module] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    _sums: dict[str, float] = field(default_factory=dict)
    _counts: dict[str, float] = field(default_factory=dict)

    @property
    def surroundings(self) -> dict[str, Any]:
        """What a loop is given to run in."""
        return {"device": CPU, "checkpoints": self, "progress": Silent()}

    def restore(self) -> None:
        return None

    def offer(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        state = copy.deepcopy(snapshot())
        if state["step"] == 0:  # the epoch's features are being made
            return
        if self.steps and state["epoch"] != self.steps[-1].epoch:
            self._sums, self._counts = {}, {}
        losses, counts = {}, state["meter"]["weights"]
        for name, value in state["meter"]["sums"].items():
            grown = counts[name] - self._counts.get(name, 0.0)
            if grown:
                losses[name] = (value - self._sums.get(name, 0.0)) / grown
        self._sums, self._counts = state["meter"]["sums"], counts
        parts = state["parts"] | {name: copy.deepcopy(part.state_dict()) for name, part in self.also.items()}
        tensors = dict(state["tensors"])
        if "memory" in parts:
            tensors["memory"] = parts.pop("memory")["rows"]
        self.steps.append(Step(state["epoch"], losses, parts, tensors))


def data_of(boxes: Boxes) -> Data:
    """What the loops are given, as the reference takes it. What the data room makes of an image is taken from
    there; it has tests of its own."""
    images, loader = boxes.images, boxes.loader
    store: Any = boxes.views
    pixels, with_mesh = images.load(np.arange(len(images))), loader.with_mesh.tolist()
    views = {(i, yaw): store.load(images.image_id[i], yaw) for i in with_mesh for yaw in store.yaws_deg}
    backgrounds = {i: without_person(pixels[i], views[i, 0]) for i in with_mesh}
    warped = {}
    for i, yaw in views:
        (view,) = boxes.persons.views(np.array([i]), np.array([yaw]))
        # Kept in eight bits a channel.
        warped[i, yaw] = np.rint(view.person), np.rint(255 * view.share) / np.float32(255)

    def mixed(image: int, other: int, share: float | str, turn: int) -> tuple[np.ndarray, np.ndarray, float]:
        ((view, own),) = boxes.persons.mixtures(
            np.array([image]), np.array([other]), [share], np.array([turn])
        )
        return view.person, view.share, own

    return Data(pixels, images.camera_id, views, backgrounds, warped, mixed)


def assert_equal(pair: Pair) -> None:
    """Everything after every step: losses, weights and batch-norm buffers, optimisers and rates,
    pseudo-labels, prototypes and memories, drawn images; and what the epochs told."""
    assert len(pair.steps) == len(pair.reference) > 0
    for number, (ours, plain) in enumerate(zip(pair.steps, pair.reference, strict=True)):
        place = f"step {number}"
        assert ours.epoch == plain.epoch and ours.parts.keys() == plain.parts.keys()
        _compare(ours.losses, plain.losses, place)
        _compare(ours.tensors, plain.tensors, place)
        for name, state in plain.parts.items():
            if name in pair.start:
                mine, theirs = (_way(parts[name], pair.start[name]) for parts in (ours.parts, plain.parts))
                _compare(mine, theirs, f"{place}: {name}", WAY)
            else:
                _compare(ours.parts[name], state, f"{place}: {name}", SLOPES)
    drawn = [step.batch for step in pair.reference if step.batch is not None]
    assert len(pair.batches) == len(drawn)
    for number, (made, batch) in enumerate(zip(pair.batches, drawn, strict=True)):
        _compare(_flat(made), vars(batch), f"batch {number}", 1e-6)
    for report in pair.reports:
        _compare_report(report, [step for step in pair.reference if step.epoch == report.epoch])


def _flat(batch: Batch) -> dict[str, Any]:
    """As the reference has it."""
    parts, mix, mixtures = dict(vars(batch)), batch.mix, batch.mixtures
    assert parts.pop("canvases") is None  # the reference repairs nothing: test_repair.py
    for name in ("person", "positive_person"):  # the reference knows no masks: test_loader.py has them
        parts.pop(name)
    assert parts.pop("part") == Part.all_of(len(batch))
    parts["mix"] = None if mix is None else reference_contrast.Mix(mix.lam, mix.partner.tolist())
    parts["mixtures"] = None if mixtures is None else mixtures.pictures
    parts["own_share"] = None if mixtures is None else mixtures.share
    return parts


def _way(state: dict[str, Tensor], start: dict[str, Tensor]) -> dict[str, Tensor]:
    """How far weights have gone from the start."""
    return {k: value - start[k] if value.is_floating_point() else value for k, value in state.items()}


def _compare(mine: Any, theirs: Any, place: str, tolerance: float = TOLERANCE) -> None:
    if isinstance(theirs, dict):
        assert mine.keys() == theirs.keys(), f"{place}: {sorted(mine)} and {sorted(theirs)}"
        for name in theirs:
            _compare(mine[name], theirs[name], f"{place}: {name}", tolerance)
    elif isinstance(theirs, list | tuple):
        assert len(mine) == len(theirs), place
        for i, pair in enumerate(zip(mine, theirs, strict=True)):
            _compare(*pair, f"{place}: {i}", tolerance)
    elif isinstance(theirs, Tensor) and theirs.is_floating_point():
        assert mine.shape == theirs.shape, f"{place}: {tuple(mine.shape)} and {tuple(theirs.shape)}"
        apart, length = (mine.double() - theirs.double()).norm(), theirs.double().norm()
        assert apart <= tolerance * length + NOTHING * theirs.numel() ** 0.5, f"{place}: {apart} of {length}"
    elif isinstance(theirs, Tensor):
        assert torch.equal(mine, theirs.to(mine.dtype)), f"{place}: {mine} and {theirs}"
    elif isinstance(theirs, float):
        assert abs(mine - theirs) <= tolerance * abs(theirs), f"{place}: {mine} and {theirs}"
    else:
        assert mine == theirs, f"{place}: {mine} and {theirs}"


def _compare_report(report: Report, steps: Sequence[Step]) -> None:
    """Means over the epoch's steps that have the figure; clusters and outliers where there are any."""
    names = {name for step in steps for name in step.losses}
    found = {name: [step.losses[name] for step in steps if name in step.losses] for name in names}
    expected = {name: sum(values) / len(values) for name, values in found.items()}
    if "labels" in steps[0].tensors:
        labels = steps[0].tensors["labels"]
        expected["clusters"], expected["outliers"] = int(labels.max()) + 1, int((labels < 0).sum())
        expected["agreement/seen"] = float(len(labels))
    told = {name: value for name, value in report.figures.items() if name != "images_per_second"}
    _compare(told, expected, f"epoch {report.epoch}")
