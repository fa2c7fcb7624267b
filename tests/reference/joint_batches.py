"""The batches of joint training: which images, whose backgrounds, who is mixed, who is mirrored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from genreid.seeding import numpy_rng, torch_rng
from genreid.training.settings.joint import JointSettings
from tests.reference.contrast import draw_mix, nearest_partners
from tests.reference.data import Batch, Data, make_batch
from tests.reference.generator import positives_with_mesh


def draw_batch(
    data: Data,
    index: np.ndarray,
    labels: np.ndarray,
    prototypes: Tensor,
    settings: JointSettings,
    epoch: int,
    step: int,
    rng: np.random.Generator,
) -> Batch:
    """Images with their meshes, positives (where G learns from them), backgrounds of other cameras, and
    whom each is mixed with."""
    backgrounds, positives, contrast = None, None, settings.contrast
    pictures_move = (
        paints(settings)
        or contrast.views in ("warped", "copy_paste")
        or contrast.mixup in ("body", "garments")
    )
    if contrast.background == "other_cameras" and pictures_move:
        backgrounds = np.array([another_camera(data, image, rng) for image in index])
    if settings.generation.same_person > 0 and generator_learns(settings, epoch, step):
        draws = torch_rng(settings.seed, "partners", epoch, step)
        positives = positives_with_mesh(index, labels, data.with_mesh, draws)
    turns = rng.choice(data.turns, len(index))
    mix = draw_mix(len(index), settings.generation.mixup_alpha, rng)
    if contrast.mixup_partner == "nearest":
        mix = replace(mix, partner=nearest_partners(labels[index], prototypes))
    worn: list[float | str] = []
    if contrast.mixup == "body":
        worn = [float(mix.weight) for _ in index]
    elif contrast.mixup == "garments":
        worn = [("upper", "lower")[garment] for garment in rng.integers(0, 2, len(index))]
    mixed_turned = contrast.mixup_mesh == "rotated"
    warps = contrast.views == "warped"
    mirrored = None
    if settings.mirror > 0:
        mirrored = numpy_rng(settings.seed, "mirror", epoch, step).random(len(index)) < settings.mirror
    return make_batch(
        data,
        index,
        turns,
        positives,
        backgrounds,
        mix,
        worn,
        warps=warps,
        mixed_turned=mixed_turned,
        mirrored=mirrored,
        recoloured=contrast.camera_colours,
    )


def another_camera(data: Data, image: int, rng: np.random.Generator) -> int:
    """An image with a mesh that another camera took; any with a mesh where there is one camera alone."""
    others = [j for j in data.with_mesh if data.camera_id[j] != data.camera_id[image]]
    return int(rng.choice(others or data.with_mesh))


def paints(settings: JointSettings) -> bool:
    """Whether G has anything to paint for the contrast."""
    return settings.contrast.views == "generated" or settings.contrast.mixup == "d_mixup"


def generator_learns(settings: JointSettings, epoch: int, step: int) -> bool:
    """G and D learn in the first of every `generator_every` steps, counted through all epochs."""
    if settings.generator == "frozen" or not paints(settings):
        return False
    return (epoch * settings.steps_per_epoch + step) % settings.generator_every == 0
