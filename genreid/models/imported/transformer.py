"""Vision transformers that tell persons apart: TransReID-SSL's, PASS's, and the image tower of CLIP-ReID.

The transformer itself is timm's. Shapes: B batch, H×W the input, D channels of a token, E of the embedding, P
part tokens (PASS has three).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genreid.models.imported.positions import Grid

Feature = Literal["before", "after"]
"""Whether the embedding is what comes before the batch-norm neck, as these programs test, or after it."""
Necks = Literal["plain", "unit"]
"""unit: what each token's neck gives is made of length 1, as PASS does without labels."""


@dataclass(frozen=True)
class TransformerShape:
    """What a network is made of. width: D. hidden: of its MLPs. has_stem: convolutions before the patches.
    num_parts: P. projection: the width that CLIP projects the image's token to, or None. clip: norms and
    activation are CLIP's. necks: for how many tokens there are, and of which kind.
    """

    grid: Grid
    width: int
    depth: int
    num_heads: int
    hidden: int
    has_stem: bool = False
    num_parts: int = 0
    projection: int | None = None
    clip: bool = False
    feature: Feature = "before"
    necks: Necks = "plain"


class ReidTransformer(nn.Module):
    """(B,3,H,W) → (B,E). Of TransReID E is D; of PASS 2·D, the image's token and the mean of the parts'; of
    CLIP-ReID D and the projection's width, the image's token as it is and projected.
    """

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.shape = shape
        self.vit = _transformer(shape)
        widths = [shape.width] * (1 + shape.num_parts)
        self.projection = None
        if shape.projection is not None:
            self.projection = nn.Parameter(torch.empty(shape.width, shape.projection))
            widths.append(shape.projection)
        self.necks = None
        if shape.feature == "after":
            self.necks = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)
        self.feature_dim = 2 * shape.width if shape.num_parts else sum(widths)

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.vit.forward_features(image)
        found = [tokens[:, number] for number in range(1 + self.shape.num_parts)]
        if self.projection is not None:
            found.append(found[0] @ self.projection)
        if self.necks is not None:
            found = [neck(one) for neck, one in zip(self.necks, found, strict=True)]
            if self.shape.necks == "unit":
                found = [F.normalize(one, dim=1) for one in found]
        if self.shape.num_parts:
            whole, *parts = found
            found = [whole, torch.stack(parts).mean(0)]
        return torch.cat(found, dim=1)


class Patches(nn.Module):
    """(B,3,H,W) → (B,N,D): a convolution that may overlap, in timm's place for it.

    With `has_stem` three convolutions of 64 channels come first, which halve the image and normalise half of
    their channels by each image's own statistics (IBN; Luo et al., arXiv 2111.12084, "IBN-based
    convolution stem").
    """

    def __init__(
        self,
        img_size: tuple[int, int],
        patch_size: int,
        in_chans: int,
        embed_dim: int,
        bias: bool = True,
        *,
        grid: Grid,
        has_stem: bool,
        **_: Any,
    ) -> None:
        super().__init__()
        self.num_patches = grid.num
        patch, stride = patch_size, grid.stride_px
        self.stem: nn.Module = nn.Identity()
        if has_stem:
            patch, stride = patch_size // 2, grid.stride_px // 2
            self.stem = _stem(in_chans, _STEM_WIDTH)
            in_chans = _STEM_WIDTH
        self.proj = nn.Conv2d(in_chans, embed_dim, patch, stride, bias=bias)

    def feat_ratio(self) -> int:
        """Pixels a token, which timm asks for."""
        return self.proj.stride[0]

    def forward(self, image: Tensor) -> Tensor:
        patches: Tensor = self.proj(self.stem(image))
        return patches.flatten(2).transpose(1, 2)


class HalfInstanceNorm(nn.Module):
    """Instance norm for the first half of the channels, batch norm for the others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.instance = nn.InstanceNorm2d(channels // 2, affine=True)
        self.batch = nn.BatchNorm2d(channels - channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.tensor_split([self.instance.num_features], dim=1)
        return torch.cat([self.instance(first), self.batch(second)], dim=1)


_STEM_WIDTH = 64


def _stem(in_channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False),
        HalfInstanceNorm(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        HalfInstanceNorm(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def _transformer(shape: TransformerShape) -> Any:
    """timm's, with the patches and as many tokens before them as are asked for."""
    from timm.models.vision_transformer import VisionTransformer

    grid = shape.grid
    return VisionTransformer(
        img_size=(grid.height_px, grid.width_px),
        patch_size=grid.patch_px,
        num_classes=0,
        embed_dim=shape.width,
        depth=shape.depth,
        num_heads=shape.num_heads,
        mlp_ratio=shape.hidden / shape.width,
        reg_tokens=shape.num_parts,
        pre_norm=shape.clip,
        norm_layer=partial(nn.LayerNorm, eps=1e-5 if shape.clip else 1e-6),
        act_layer="quick_gelu" if shape.clip else "gelu",
        embed_layer=partial(Patches, grid=grid, has_stem=shape.has_stem),
        weight_init="skip",
    )


def transreid_names(name: str) -> str | None:
    """Our name for one of TransReID's, of PASS's, or of what either was pretrained as; None for another.

    Trained with labels they have `base.` before them; the others have not. Names of tokens and positions
    stay as they are: what becomes of them depends on each other.
    """
    plain = name.removeprefix("base.")
    if _IN_VIT.match(plain):
        return "vit." + plain.replace("patch_embed.conv.", "patch_embed.stem.").replace(
            ".IN.", ".instance."
        ).replace(".BN.", ".batch.")
    if _TOKENS.fullmatch(plain):
        return plain
    if found := re.fullmatch(r"bottleneck(?:_(?:pt)?([123]))?\.(\w+)", plain):
        return f"necks.{found[1] or 0}.{found[2]}"
    return None


_IN_VIT = re.compile(r"(patch_embed|blocks|norm)\.")
_TOKENS = re.compile(r"cls_token|pos_embed|part_token[123]|cls_pos|part[123]_pos")


def clip_reid_names(name: str) -> str | None:
    """Our name for one of CLIP-ReID's image tower or necks; None for another."""
    for neck, number in (("bottleneck.", 0), ("bottleneck_proj.", 1)):
        if name.startswith(neck):
            return f"necks.{number}.{name.removeprefix(neck)}"
    plain = name.removeprefix("image_encoder.")
    if plain == name:
        return None
    for pattern, ours in _CLIP:
        plain = re.sub(pattern, ours, plain)
    return plain


_CLIP: Sequence[tuple[str, str | Callable[[re.Match[str]], str]]] = (
    (r"^proj$", "projection"),
    (r"^class_embedding$", "cls_token"),
    (r"^positional_embedding$", "pos_embed"),
    (r"^conv1\.", "vit.patch_embed.proj."),
    (r"^ln_pre\.", "vit.norm_pre."),
    (r"^ln_post\.", "vit.norm."),
    (r"^transformer\.resblocks\.", "vit.blocks."),
    (r"\.ln_([12])\.", r".norm\1."),
    (r"\.attn\.in_proj_", ".attn.qkv."),
    (r"\.attn\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)
