"""The generator: structure encoder and decoder together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.canvas import CANVAS_CHANNELS, picture_of, share_of
from genreid.models.decoder import Decoder
from genreid.models.settings import GeneratorSettings
from genreid.models.structure import StructureEncoder


class Generator(nn.Module):
    """`G(E_str(mesh), appearance)` (GCL+; docs/method.md, Networks).

    The two halves are methods of their own because three of a step's four pictures share one structure.

    Beyond the paper, with `paints: views`: `c + share · G(E_str(canvas), appearance)`, where c is the warped
    view of the canvas and share how far a pixel is the person's. It says nothing else than c before it has
    learnt, and leaves the background alone. E_str sees the canvas; so do the decoder's last convolutions,
    because a map of a quarter of the size has lost the outlines that are to stay.
    """

    def __init__(self, settings: GeneratorSettings, appearance_dim: int, num_stripes: int) -> None:
        super().__init__()
        self.settings = settings
        self.appearance_dim = appearance_dim
        self.num_stripes = num_stripes
        self.repairs = settings.paints == "views"
        seen = CANVAS_CHANNELS if self.repairs else 1
        self.structure = StructureEncoder(
            settings.structure_width, settings.structure_blocks, settings.decoder_width, seen
        )
        self.decoder = Decoder(
            settings.decoder_width,
            appearance_dim,
            num_stripes,
            settings.mlp_width,
            beside=CANVAS_CHANNELS if self.repairs else 0,
        )

    @torch.no_grad()
    def initialise(self) -> None:
        """The decoder as it says itself; one that repairs corrects nothing yet."""
        self.decoder.initialise()
        if self.repairs:
            self.decoder.silence()

    def encode_structure(self, view: Tensor) -> Tensor:
        """(B,1,H,W) grey view of the mesh in [−1,1], or a canvas (B,7,H,W) → (B,C,H/4,W/4)."""
        height, width = view.shape[2:]
        if height % 4 or width % 4 or min(height, width) < 16:
            raise GenreidError(
                f"the generator cannot take views of {height}×{width}; height and width must be multiples of "
                "4, at least 16: change the training size in prepare_data"
            )
        structure: Tensor = self.structure(view)
        return structure

    def paint(self, structure: Tensor, appearance: Tensor) -> Tensor:
        """(B,C,H/4,W/4) and (B,S·D) → (B,3,H,W), normalised pixels."""
        pixels: Tensor = self.decoder(structure, appearance)
        return pixels

    def repair(self, canvas: Tensor, appearance: Tensor) -> Tensor:
        """(B,7,H,W) and (B,S·D) → (B,3,H,W), normalised pixels."""
        correction: Tensor = self.decoder(self.encode_structure(canvas), appearance, canvas)
        return picture_of(canvas) + share_of(canvas) * correction

    def forward(self, view: Tensor, appearance: Tensor) -> Tensor:
        """view: a mesh, or a canvas where the generator repairs."""
        if self.repairs:
            return self.repair(view, appearance)
        return self.paint(self.encode_structure(view), appearance)
