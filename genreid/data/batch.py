"""What one step of the generator's training takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from genreid.data.part import Part


def _itself(values: torch.Tensor) -> torch.Tensor:
    return values


@dataclass(frozen=True)
class Mix:
    """How the identities of a batch are mixed: one λ in [0.5, 1], with whom, and on which body.

    partner: (B,) int64 positions in the batch, in the paper a permutation π. turned: whether mixtures are
    shown on the rotated mesh m_θ instead of the paper's m_0. shares: where textures are mixed on the body, B
    of what `genreid.warping.mixing` takes: λ, or the garment that an image's person takes over; else ().
    whole: of values (B, …) of a part of a batch, those of all of it, in which a partner may be.
    """

    lam: float
    partner: torch.Tensor
    turned: bool = False
    shares: tuple[Any, ...] = ()
    whole: Callable[[torch.Tensor], torch.Tensor] = _itself

    def of_part(self, part: Part, whole: Callable[[torch.Tensor], torch.Tensor]) -> Mix:
        """The same for a part of the batch; partners are positions in all of it."""
        return replace(self, partner=self.partner[part.rows], shares=self.shares[part.rows], whole=whole)

    def to(self, device: torch.device) -> Mix:
        return replace(self, partner=self.partner.to(device))

    def of(self, values: torch.Tensor) -> torch.Tensor:
        """λ·v + (1−λ)·v_π for values (B, …): codes, pixels, feature maps or one-hot labels."""
        return self.lam * values + (1.0 - self.lam) * self.whole(values)[self.partner]

    def mesh_of(self, batch: Batch) -> torch.Tensor:
        """The meshes (B, 1, H, W) that mixtures are painted on."""
        return batch.mesh_rotated if self.turned else batch.mesh


@dataclass(frozen=True)
class Mixtures:
    """Persons mixed on the body: pictures (B, 3, H, W), and the share (B,) float32 of what they show that is
    the image's own."""

    pictures: torch.Tensor
    share: torch.Tensor


@dataclass(frozen=True)
class Canvases:
    """What a generator that repairs is shown of a batch, each (B, 7, H, W): the views that it corrects, see
    `genreid.models.canvas`.

    turned: the persons turned by yaw_deg, before the background that they are to stand before. The others
    show them as the images do, before the images' own backgrounds, so that the images themselves are the
    truth. after_turn: with the texture alone that half the turn would leave. same_person: in the texture of
    another image of the same pseudo-identity. None where the generator does not learn from them.
    """

    turned: torch.Tensor
    after_turn: torch.Tensor | None = None
    same_person: torch.Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """B images with their meshes, on one device.

    index: (B,) int64, positions in the training set. image: (B, 3, H, W) float32, ImageNet-normalised.
    mesh: (B, 1, H, W) float32 in [-1, 1], the person's mesh from the image's own viewpoint (yaw 0).
    mesh_rotated: (B, 1, H, W), the same mesh turned by yaw_deg (B,) float32 about its vertical axis.

    Where same-person pictures are painted, else None: positive_image and positive_mesh, as image and mesh, of
    another image of the same pseudo-identity, or of the image itself where there is no other; positive_person
    (B, 1, H, W), how far each of its pixels is the person's, 0 to 1.

    Where second views stand before the background of another camera, else None: background (B, 3, H, W), of
    an image without its person. Where the image's person is pasted there as it is, else None: person
    (B, 1, H, W), how far each of its pixels is the person's, 0 to 1.

    Where second views are warped, else None: warped (B, 3, H, W), the person turned by yaw_deg in the colours
    that the image shows, before `background`, or before the image's own without the person.

    Where views are repaired, else None: canvases.

    Where identities are mixed, else None: mix, how; mixtures, where that is done on the body, before the same
    backgrounds as `warped`.

    part: which images of a larger batch these are, where several ranks share it; None: all of them.
    """

    index: torch.Tensor
    image: torch.Tensor
    mesh: torch.Tensor
    mesh_rotated: torch.Tensor
    yaw_deg: torch.Tensor
    positive_image: torch.Tensor | None = None
    positive_mesh: torch.Tensor | None = None
    positive_person: torch.Tensor | None = None
    background: torch.Tensor | None = None
    person: torch.Tensor | None = None
    warped: torch.Tensor | None = None
    mix: Mix | None = None
    mixtures: Mixtures | None = None
    canvases: Canvases | None = None
    part: Part | None = None

    def __len__(self) -> int:
        return self.image.shape[0]

    @property
    def place(self) -> Part:
        """Which images of the whole batch these are."""
        return self.part or Part.all_of(len(self))

    def mirrored(self, rows: torch.Tensor) -> Batch:
        """The same where all that belongs to the images at `rows` (B,) bool is mirrored, left to right.

        A person turned by θ is then the mirrored person turned by −θ.
        """

        def turned_over(pictures: torch.Tensor) -> torch.Tensor:
            return torch.where(rows[:, None, None, None], pictures.flip(3), pictures)

        changed: dict[str, Any] = {
            name: turned_over(value)
            for name, value in vars(self).items()
            if isinstance(value, torch.Tensor) and value.ndim == 4
        }
        if self.mixtures is not None:
            changed["mixtures"] = replace(self.mixtures, pictures=turned_over(self.mixtures.pictures))
        if self.canvases is not None:
            parts = vars(self.canvases).items()
            flipped = {name: None if part is None else turned_over(part) for name, part in parts}
            changed["canvases"] = Canvases(**flipped)  # type: ignore[arg-type]
        return replace(self, yaw_deg=torch.where(rows, -self.yaw_deg % 360, self.yaw_deg), **changed)
