"""The generator: structure encoder and decoder together."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.decoder import Decoder
from genreid.models.structure import StructureEncoder
from genreid.ranges import Count, MultipleOf4


@dataclass(frozen=True)
class GeneratorSettings:
    """What the generator is made of; the paper's values in brackets.

    structure_width: channels after the structure encoder's first convolution (16).
    structure_blocks: its residual blocks (4).
    decoder_width: channels of structure and AdaIN blocks, a multiple of 4 (128).
    mlp_width: hidden width of the MLPs between appearance and AdaIN (512).
    """

    structure_width: Count
    structure_blocks: Count
    decoder_width: MultipleOf4
    mlp_width: Count


class Generator(nn.Module):
    """`G(E_str(mesh), appearance)` (GCL+; docs/method.md, Networks).

    The two halves are methods of their own because three of a step's four pictures share one structure.
    """

    def __init__(self, settings: GeneratorSettings, appearance_dim: int, num_stripes: int) -> None:
        super().__init__()
        self.settings = settings
        self.appearance_dim = appearance_dim
        self.num_stripes = num_stripes
        self.structure = StructureEncoder(
            settings.structure_width, settings.structure_blocks, settings.decoder_width
        )
        self.decoder = Decoder(settings.decoder_width, appearance_dim, num_stripes, settings.mlp_width)

    def encode_structure(self, mesh: Tensor) -> Tensor:
        """(B,1,H,W) grey view of the mesh in [−1,1] → (B,C,H/4,W/4)."""
        height, width = mesh.shape[2:]
        if height % 4 or width % 4 or min(height, width) < 16:
            raise GenreidError(
                f"the generator cannot take views of {height}×{width}; height and width must be multiples of "
                "4, at least 16: change the training size in prepare_data"
            )
        structure: Tensor = self.structure(mesh)
        return structure

    def paint(self, structure: Tensor, appearance: Tensor) -> Tensor:
        """(B,C,H/4,W/4) and (B,S·D) → (B,3,H,W), normalised pixels."""
        pixels: Tensor = self.decoder(structure, appearance)
        return pixels

    def forward(self, mesh: Tensor, appearance: Tensor) -> Tensor:
        return self.paint(self.encode_structure(mesh), appearance)
