"""Exact nearest neighbours from the heads of the rows, where few directions hold most of their length.

An orthonormal basis splits every row x into its head h, the coordinates along the first d directions, and the
rest, of which only the length ρ is kept. By the inequality of Cauchy and Schwarz
    xᵢ·xⱼ ≤ hᵢ·hⱼ + ρᵢρⱼ = (hᵢ, ρᵢ)·(hⱼ, ρⱼ),
so one product of rows of d + 1 numbers bounds all similarities from above. Three passes:
 1. a short head proposes candidates; the k-th of their true similarities is the image's limit: no neighbour
    is below it;
 2. pairs whose bound by a longer head reaches a limit are bounded again, by longer and longer heads;
 3. the pairs that are left are computed in full.
The answer is exact whatever the basis: the basis only decides how much work is saved. Embeddings of persons
have a spectrum that falls fast and save most of it; where it is flat nothing is saved, and `plan` says so
beforehand, from a sample of the rows.

Shapes: N rows x of D numbers, k neighbours, d directions of a head, L lengths of heads, M pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numba import njit

from genreid.clustering.blocks import GROUP, BestOfRows, upper_blocks
from genreid.clustering.similarity import full_precision, pair_similarity, product_error
from genreid.clustering.threads import map_row_chunks

MIN_ROWS = 4096
"""Below this the plain product is done before a basis is found."""

MIN_WIDTH = 512
"""Narrower rows are heads themselves."""

WORTH_IT = 0.9
"""Share of the plain product's work from which on the heads are not used."""

LENGTHS = (32, 64, 128, 192, 256, 384, 512)
"""Lengths of heads. The first proposes, the last ones bound pairs, one of those between bounds all."""

SAMPLE_ROWS = 2048
"""Rows that the basis is made of."""

SHORT_WIDTH = 256
"""Numbers of a short row."""

SAMPLE_QUERIES = 128
"""Rows whose work is counted beforehand."""

PAIR_COST, FULL_PAIR_COST = 4_000, 24_000
"""What a pair costs in passes 2 and 3 (2048 wide), in multiplications of a product: it waits for memory."""


@dataclass(frozen=True)
class Heads:
    """The rows in their own basis.

    head: (N, d_max) float32 coordinates along directions of falling variance. lengths: (L,) lengths of heads.
    rest: (N, L) float32, the length of what each head leaves out, lifted by more than rounding can be wrong.
    """

    head: torch.Tensor
    lengths: tuple[int, ...]
    rest: torch.Tensor

    @classmethod
    def of(cls, x: torch.Tensor) -> Heads:
        """Heads of the rows (N, D) in the basis of a sample of them."""
        lengths = tuple(length for length in LENGTHS if 2 * length <= x.shape[1])
        head = x @ principal_directions(_sample(x), lengths[-1])
        left = torch.linalg.vector_norm(x, dim=1) ** 2
        rest = []
        for start, stop in zip((0, *lengths), lengths, strict=False):
            left = left - torch.linalg.vector_norm(head[:, start:stop], dim=1) ** 2
            rest.append((left.clamp_min(0) + 2 * product_error(x.shape[1])).sqrt())
        return cls(head, lengths, torch.stack(rest, 1))

    def bounding_rows(self, level: int) -> torch.Tensor:
        """(N, d + 1): rows whose products are upper bounds of the similarities."""
        return torch.cat((self.head[:, : self.lengths[level]], self.rest[:, level : level + 1]), 1)


def principal_directions(sample: torch.Tensor, num: int) -> torch.Tensor:
    """(D, num) float32 orthonormal columns: about the principal directions of the sample (S, D), in order.

    Randomised subspace iteration (Halko, Martinsson, Tropp, SIAM Review 2011, algorithm 4.4), one round.
    """
    start = torch.randn(len(sample), num, generator=torch.Generator().manual_seed(0))
    found = torch.linalg.qr(sample.T @ start).Q
    found = torch.linalg.qr(sample.T @ (sample @ found)).Q
    seen = sample @ found
    return found @ torch.linalg.eigh(seen.T @ seen).eigenvectors.flip(1)


def short_rows(x: torch.Tensor) -> torch.Tensor:
    """(N, d) the `SHORT_WIDTH` coordinates of largest variance of rows (N, D); shorter ones as they are."""
    if x.shape[1] <= SHORT_WIDTH:
        return x
    with full_precision(x.device):
        return x @ principal_directions(_sample(x), SHORT_WIDTH)


def _sample(x: torch.Tensor) -> torch.Tensor:
    return x[:: -(-len(x) // SAMPLE_ROWS)]


@dataclass(frozen=True)
class Plan:
    """level: which length of head bounds all pairs. share: the work, as a share of the plain product's."""

    level: int
    share: float


def plan(x: torch.Tensor, heads: Heads, k: int) -> Plan:
    """The cheapest way to use the heads, by counting the pairs that they leave to a sample of the rows."""
    num, width = x.shape
    queries = torch.arange(0, num, -(-num // SAMPLE_QUERIES))
    limit = (x[queries] @ x.T).topk(min(k, num), dim=1).values[:, -1:]

    def pairs_left(level: int) -> float:
        rows = heads.bounding_rows(level)
        return float((rows[queries] @ rows.T >= limit).sum()) / len(queries) / 2

    proposing, last = heads.lengths[0], len(heads.lengths) - 1
    work = [
        num * (proposing + heads.lengths[level]) / 2 + pairs_left(level) * PAIR_COST
        for level in range(1, last)
    ]
    least = min(range(len(work)), key=work.__getitem__)
    total = work[least] + width * heads.lengths[-1] + pairs_left(last) * FULL_PAIR_COST * width / 2048
    return Plan(least + 1, total / (num * width / 2))


def search_by_heads(rows: np.ndarray, heads: Heads, level: int, k: int, num_proposed: int) -> BestOfRows:
    """The k best columns of every row of rows·rowsᵀ, rows (N, D) being those the heads were made of."""
    limits = _limits(rows, heads, k, num_proposed)
    best = BestOfRows(len(rows), k, torch.float32)
    head, rest = heads.head.numpy(), heads.rest.numpy()[:, level:].copy()
    lengths = np.array(heads.lengths[level:])
    for row, column, block in upper_blocks(heads.bounding_rows(level)):
        bounds = block.numpy()
        corner = (row, column)

        def keep(
            start: int, stop: int, bounds: np.ndarray = bounds, corner: tuple[int, int] = corner
        ) -> tuple[np.ndarray, np.ndarray]:
            return _pairs_left(bounds, *corner, limits, head, rest, lengths, start, stop)

        parts = map_row_chunks(keep, len(bounds))
        left, right = (np.concatenate(part) for part in zip(*parts, strict=True))
        best.offer_pairs(left, right, pair_similarity(rows, left, right))
        np.maximum(limits, best.limits, out=limits)
    return best


def _limits(rows: np.ndarray, heads: Heads, k: int, num_proposed: int) -> np.ndarray:
    """(N,) float32: similarities that k images are known to reach, by the short head's proposals."""
    num = len(rows)
    proposed = BestOfRows(num, num_proposed, torch.float32)
    for row, column, block in upper_blocks(heads.head[:, : heads.lengths[0]].contiguous()):
        proposed.offer(block, row, column)
    left = np.repeat(np.arange(num, dtype=np.int32), num_proposed)
    true = pair_similarity(rows, left, proposed.index.reshape(-1)).reshape(num, num_proposed)
    return np.partition(true, num_proposed - k, axis=1)[:, num_proposed - k].copy()


@njit(cache=True, nogil=True)
def _pairs_left(
    bounds: np.ndarray,
    row: int,
    column: int,
    limits: np.ndarray,
    head: np.ndarray,
    rest: np.ndarray,
    lengths: np.ndarray,
    start: int,
    stop: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows start..stop of a block of bounds that may be neighbours: images left, images right.

    limits: (N,). rest: (N, L) and lengths: (L,) from the head that made the bounds on, longer and longer.
    """
    left, right = np.empty(1024, np.int32), np.empty(1024, np.int32)
    end = 0
    width = bounds.shape[1]
    for r in range(start, stop):
        i = row + r
        for begin in range(r if row == column else 0, width, GROUP):
            group = bounds[r, begin : min(begin + GROUP, width)]
            others = limits[column + begin : column + begin + group.shape[0]]
            if not _any_reaches_either(group, limits[i], others):
                continue
            for c in range(group.shape[0]):
                j = column + begin + c
                limit = min(limits[i], others[c])
                if group[c] < limit or not _longer_reach(
                    group[c], limit, head[i], head[j], rest[i], rest[j], lengths
                ):
                    continue
                if end == left.shape[0]:
                    left = np.concatenate((left, np.empty(end, np.int32)))
                    right = np.concatenate((right, np.empty(end, np.int32)))
                left[end], right[end] = i, j
                end += 1
    return left[:end].copy(), right[:end].copy()


@njit(cache=True, nogil=True)
def _any_reaches_either(group: np.ndarray, limit: np.float32, limits: np.ndarray) -> bool:
    # As in `blocks`: without a branch, and as wide as the values, so that it vectorises.
    count = np.int32(0)
    for c in range(group.shape[0]):
        count = np.int32(count + np.int32(group[c] >= min(limit, limits[c])))
    return bool(count > 0)


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _longer_reach(
    bound: np.float32,
    limit: np.float32,
    head_i: np.ndarray,
    head_j: np.ndarray,
    rest_i: np.ndarray,
    rest_j: np.ndarray,
    lengths: np.ndarray,
) -> bool:
    """Whether the bounds by ever longer heads reach the limit as the first, `bound`, did."""
    known = bound - rest_i[0] * rest_j[0]
    for level in range(1, lengths.shape[0]):
        total = np.float32(0)
        for d in range(lengths[level - 1], lengths[level]):
            total += head_i[d] * head_j[d]
        known += total
        if known + rest_i[level] * rest_j[level] < limit:
            return False
    return True
