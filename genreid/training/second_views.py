"""The second views of a batch: what G paints for the contrast, where it stands, and how E_id sees it.

Source: Chen et al., TPAMI 2023, sections 3.2 and 3.3.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genreid.data.batch import Batch
from genreid.data.transforms import augment
from genreid.models.batchnorm import generated_images
from genreid.models.encoder import Encoding, IdentityEncoder
from genreid.training.contrast import Embeddings
from genreid.training.generation import GeneratedViews, SecondViews, generate, paint_second
from genreid.training.joint_settings import JointSettings, Networks
from genreid.training.mixing import Mix
from genreid.training.run import frozen
from genreid.training.streets import put_into


def paint_views(
    networks: Networks, batch: Batch, real: Encoding, mix: Mix, settings: JointSettings, *, learns: bool
) -> tuple[GeneratedViews | None, SecondViews]:
    """What G paints of this batch: all that it learns from, if it `learns`; and what is contrasted."""
    if not settings.paints:
        return None, SecondViews(None, None)
    teaches = not settings.detach_appearance
    appearance = real.appearance if teaches else real.appearance.detach()
    mixes = settings.contrast.mixup == "d_mixup"
    if not learns:
        rotates = settings.contrast.views == "generated"
        with frozen(networks.generator):
            mixed = mix if mixes else None
            return None, paint_second(networks.generator, batch, appearance, mixed, rotates=rotates)
    views = generate(
        networks.generator,
        networks.encoder,
        batch,
        appearance,
        mix if mixes else None,
        encode_mixed=mixes and batch.street is None and teaches,
        batchnorm=settings.generated_batchnorm,
        teaches_encoder=teaches,
        recompute=settings.generation.recompute,
    )
    if not settings.contrast_teaches_generator:
        return views, SecondViews(
            views.rotated.detach(), None if views.mixed is None else views.mixed.detach()
        )
    # What E_id has seen without learning from it, it has to see again for the contrast.
    return views, views.second() if teaches else SecondViews(views.rotated, views.mixed)


def embed_views(
    encoder: IdentityEncoder,
    batch: Batch,
    real: Encoding,
    painted: SecondViews,
    mix: Mix,
    settings: JointSettings,
    rng: np.random.Generator,
) -> Embeddings:
    """f of the images, f_θ of their second views and f_mix of their mixtures, as the settings define them.

    What E_id has seen already while G was learning is not shown to it again; all other pictures share a pass.
    """
    second, mixed = painted.encoded_rotated, painted.encoded_mixed
    pictures: dict[str, Tensor] = {}
    match settings.contrast.views:
        case "generated" if second is None or batch.street is not None:
            assert painted.rotated is not None
            pictures["second"] = moved(painted.rotated, batch.mesh_rotated, batch)
        case "augmented":
            pictures["second"] = augment(batch.image, settings.augmentation, rng)
        case "pasted":
            pictures["second"] = moved(batch.image, batch.mesh, batch)
        case "none":
            second = None
    match settings.contrast.mixup:
        case "d_mixup" if mixed is None:
            assert painted.mixed is not None
            pictures["mixed"] = moved(painted.mixed, mix.mesh_of(batch), batch)
        case "mixup":
            pictures["mixed"] = mix.of(batch.image)
    with generated_images(encoder, settings.generated_batchnorm):
        if settings.contrast.mixup == "f_mixup":
            mixed = encoder.encode_map(mix.of(real.feature_map))
        if pictures:
            seen = encoder(torch.cat(list(pictures.values()))).split(len(batch))
            found = dict(zip(pictures, seen, strict=True))
            second, mixed = found.get("second", second), found.get("mixed", mixed)
    return Embeddings(
        real.embedding.float(),
        None if second is None else second.embedding.float(),
        None if mixed is None else mixed.embedding.float(),
    )


def moved(pictures: Tensor, mesh: Tensor, batch: Batch) -> Tensor:
    """Painted persons where they are to stand: in their own street, or in that which the batch brings."""
    return pictures if batch.street is None else put_into(batch.street, pictures, mesh)
