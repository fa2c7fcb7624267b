"""The picture of a run: what the generator paints of a few images that stay the same from epoch to epoch."""

from __future__ import annotations

import numpy as np
import torch

from genreid.data.transforms import denormalise
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.render.sheets import GenerationRow, generation_sheet
from genreid.seeding import numpy_rng
from genreid.training.loader import Holds, Loader

LAMBDAS = (0.0, 0.25, 0.5, 0.75, 1.0)
_NUM_IMAGES = 6


@torch.no_grad()
def generation_picture(
    generator: Generator, encoder: IdentityEncoder, loader: Loader, seed: int
) -> np.ndarray:
    """Image, mesh, reconstruction, rotated views and mixtures of some images: uint8 RGB (H, W, 3).

    Each image is mixed with the next one of the sheet, at the weights LAMBDAS. The networks' modes are
    restored.
    """
    modes = encoder.training, generator.training
    encoder.eval(), generator.eval()
    chosen = numpy_rng(seed, "pictures").permutation(loader.with_mesh)[:_NUM_IMAGES]
    codes, rotated = None, []
    for yaw_deg in loader.yaws_deg:
        batch = loader.batch_at(chosen, np.full(len(chosen), yaw_deg), Holds(canvases=generator.repairs))
        codes = encoder(batch.image).appearance
        view = batch.mesh_rotated if batch.canvases is None else batch.canvases.turned
        rotated.append(denormalise(generator(view, codes)))
    assert codes is not None
    if batch.canvases is None:
        structure = generator.encode_structure(batch.mesh)
        mixed = [
            denormalise(generator.paint(structure, lam * codes + (1 - lam) * codes.roll(-1, 0)))
            for lam in LAMBDAS
        ]
        reconstruction = denormalise(generator.paint(structure, codes))
    else:
        mixed, canvas = [], batch.canvases.after_turn
        assert canvas is not None
        reconstruction = denormalise(generator(canvas, codes))
    image = denormalise(batch.image)
    mesh = ((batch.mesh[:, 0].cpu().numpy() + 1) * 127.5).round().astype(np.uint8)
    rows = [
        GenerationRow(
            image=image[i],
            mesh=mesh[i],
            reconstruction=reconstruction[i],
            rotated=[view[i] for view in rotated],
            mixed=[view[i] for view in mixed],
        )
        for i in range(len(chosen))
    ]
    encoder.train(modes[0]), generator.train(modes[1])
    return generation_sheet(rows, loader.yaws_deg.tolist(), LAMBDAS if mixed else ())
