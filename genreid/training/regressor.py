"""Fitting the mesh regressor to renders."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.body.rotations import heading_deg, matrix_to_axis_angle, wrap_deg
from genreid.mesh.accuracy import FLIP_DEG
from genreid.mesh.loss import regression_losses
from genreid.mesh.regressor import Prediction, Regressor, network_input
from genreid.mesh.settings import NetworkSettings
from genreid.mesh.skeleton import Skeleton
from genreid.progress import Checkpoints, Progress, Report
from genreid.render.shading import grey_view
from genreid.seeding import derive_seed, numpy_rng
from genreid.training.ahead import one_ahead
from genreid.training.muon import Muon
from genreid.training.precision import autocast
from genreid.training.regressor_data import Scenes, distort
from genreid.training.run import Run, due, named, require_finite, total
from genreid.training.settings.regressor import FitSettings

_NUM_PICTURED = 12


def build_regressor(settings: NetworkSettings, seed: int) -> Regressor:
    """A network with weights drawn from `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "regressor"))
        return Regressor(settings)


def fit_regressor(
    network: Regressor,
    body: Body,
    scenes: Scenes,
    settings: FitSettings,
    *,
    device: torch.device,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Iterator[Report]:
    """Fit `network` in place; yields one report an epoch.

    scenes: `num_scenes` to learn from, then `num_held_out` to measure on: figures `held_out/…`.
    """
    learned, held_out = scenes.split(settings.num_scenes)
    skeleton = Skeleton.of(body).to(device)
    truth = learned.target
    network.start_from(truth.rotation_6d, truth.betas, truth.camera_in_image)
    network.to(device).to(memory_format=torch.channels_last)
    convolutions, others = _by_optimiser(network)
    # Both shrink weights by the same factor a step: AdamW's, although Muon's rate is another.
    decay = settings.weight_decay * settings.lr / settings.matrix_lr
    muon = Muon(convolutions, settings.matrix_lr, decay)
    adam = torch.optim.AdamW(others, settings.lr, weight_decay=settings.weight_decay, fused=True)
    run = Run(settings.epochs, settings.steps_per_epoch, network=network, muon=muon, adam=adam)
    run.resume(checkpoints, progress, "fitting the mesh regressor")
    batches = one_ahead(_batches(learned, settings, run.epoch * settings.steps_per_epoch + run.step))

    while run.epoch < settings.epochs:
        network.train()
        while run.step < settings.steps_per_epoch:
            step, batch = next(batches)
            with autocast(device, settings.precision):
                prediction = network(network_input(batch.image).to(device))
            losses = regression_losses(prediction.float(), batch.target.to(device), skeleton, settings.loss)
            require_finite(losses, run.epoch, run.step)

            share = one_cycle(step, settings)
            network.zero_grad(set_to_none=True)
            total(losses).backward()
            for optimiser, lr in ((muon, settings.matrix_lr), (adam, settings.lr)):
                optimiser.param_groups[0]["lr"] = share * lr
                optimiser.step()

            run.meter.add(named(losses, "loss"), len(batch))
            run.finish_step(checkpoints)

        pictured = due(run.epoch, settings.epochs, settings.pictures_every)
        prediction = predict(network, held_out, device)
        pictures = {"held_out": _picture(held_out, prediction, body)} if pictured else {}
        yield run.finish_epoch(held_out_figures(prediction, held_out, skeleton), pictures)


def _batches(learned: Scenes, settings: FitSettings, first: int) -> Iterator[tuple[int, Scenes]]:
    """The steps from number `first` on, each with its scenes distorted."""
    for step in range(first, settings.epochs * settings.steps_per_epoch):
        rng = numpy_rng(settings.seed, "distort", step)
        yield step, distort(learned, batch_index(settings, step), settings.distortion, rng)


def batch_index(settings: FitSettings, step: int) -> np.ndarray:
    """(batch_size,) scenes of a step: pass after pass over all of them, each in an order of its own."""
    steps_per_pass = max(settings.num_scenes // settings.batch_size, 1)
    order = numpy_rng(settings.seed, "order", step // steps_per_pass).permutation(settings.num_scenes)
    start = step % steps_per_pass * settings.batch_size
    return order[start : start + settings.batch_size]


def one_cycle(step: int, settings: FitSettings) -> float:
    """A step's share of the highest rates; of the step alone, so a resumed run needs no scheduler."""
    done = (step + 1) / (settings.epochs * settings.steps_per_epoch)
    if done < settings.warm_up_share:
        return done / settings.warm_up_share
    fallen = (done - settings.warm_up_share) / (1 - settings.warm_up_share)
    return 0.5 * (1 + math.cos(math.pi * fallen))


def _by_optimiser(network: Regressor) -> tuple[list[Tensor], list[Tensor]]:
    """The convolutions inside the network; what reads answers from its maps, biases and norms."""
    convolutions: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in network.named_parameters():
        inside = weight.ndim == 4 and not name.startswith("mask_head.output")
        (convolutions if inside else others).append(weight)
    return convolutions, others


@torch.inference_mode()
def predict(network: Regressor, scenes: Scenes, device: torch.device, batch_size: int = 128) -> Prediction:
    """What the network says of scenes as they are, in evaluation mode; on the CPU."""
    network.eval()
    parts = [
        network(network_input(scenes.image[start : start + batch_size]).to(device)).to("cpu")
        for start in range(0, len(scenes), batch_size)
    ]
    return Prediction.joined(parts)


def held_out_figures(prediction: Prediction, scenes: Scenes, skeleton: Skeleton) -> dict[str, float]:
    """Median heading error, share of flips, median joint error; mean overlap (IoU) of the person's masks."""
    found, true = prediction.rotations, scenes.target.rotations
    headings = [heading_deg(matrix_to_axis_angle(rotations[:, 0])) for rotations in (found, true)]
    error = wrap_deg(headings[0] - headings[1]).abs()
    skeleton = skeleton.to(torch.device("cpu"))
    apart = skeleton.pose(found, prediction.betas) - skeleton.pose(true, scenes.target.betas)
    return {
        "held_out/median_heading_error_deg": float(error.median()),
        "held_out/flip_rate": float((error > FLIP_DEG).float().mean()),
        "held_out/median_joint_error_mm": float(1000 * apart.norm(dim=-1).mean(dim=1).median()),
        "held_out/mask_iou": float(mask_ious(prediction.mask, scenes.target.silhouette).mean()),
    }


def mask_ious(logits: Tensor, silhouette: Tensor) -> Tensor:
    """(B,) overlap of what is more likely the person's than not with silhouettes (B, H, W) of 0 to 255.

    1 where both are empty.
    """
    found, true = logits > 0, silhouette > 127
    common, either = (found & true).sum((1, 2)), (found | true).sum((1, 2))
    return torch.where(either > 0, common / either.clamp_min(1), 1.0)


def _picture(scenes: Scenes, prediction: Prediction, body: Body) -> np.ndarray:
    """Held-out scenes above the bodies and the masks that the network sees in them: (3·H, n·W, 3) uint8."""
    num = min(_NUM_PICTURED, len(scenes))
    height, width = scenes.image.shape[1:3]
    axis_angle = matrix_to_axis_angle(prediction.rotations[:num])
    parameters = BodyParameters(axis_angle[:, 0], axis_angle[:, 1:].flatten(1), prediction.betas[:num])
    vertices = body.pose(parameters).vertices.numpy()
    cameras = prediction.weak_perspective[:num].numpy()
    masks = prediction.mask[:num].sigmoid().mul(255).round().to(torch.uint8).numpy()
    columns = []
    for i in range(num):
        view = grey_view(vertices[i], cameras[i], body.faces, height, width)
        grey = np.concatenate([view, masks[i]])
        columns.append(np.concatenate([scenes.image[i], cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)]))
    return np.concatenate(columns, axis=1)
