"""Training on several processes, "ranks", each of which works on its part of every batch.

Every rank runs the same loop and draws the same numbers, those of the whole batch, so that a step learns from
the images and changes that one process would take. What goes between the ranks is asked for where a loop
needs it:
  - each rank follows backwards its own terms, which are means over its images, times its share of the batch,
    and gradients are added up before an optimiser's step;
  - embeddings are gathered, and what contrasts them is worked out for the whole batch on every rank: it is
    small beside the networks, and memories stay the same everywhere;
  - what is done once (clustering, reading a kept state) is done on rank 0, and handed to the others.

DistributedDataParallel is not used. It adds up gradients by hooks in one backward pass after one forward
pass; a step here has several of both, through networks that are frozen in one and learn in the next, and D's
gradient penalty differentiates twice. One flat sum for each optimiser holds for all of them; what it lacks is
that sums run while the backward pass goes on.

Deviations from one process are those of the order of summation. N images of a batch, n of them this rank's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from genreid.data.part import Part
from genreid.errors import GenreidError
from genreid.progress import Checkpoints
from genreid.training.rank_statistics import Synchronised
from genreid.training.settings.ranks import RankStatistics
from genreid.training.sums import sum_in_place, summed

T = TypeVar("T")


class Ranks:
    """One process alone: each method gives back what it is given, and nothing is sent anywhere.

    rank: of this process, from 0; num: how many there are.
    """

    rank = 0
    num = 1

    def part(self, num: int) -> Part:
        """What this rank has of a batch of `num` images: one stretch, as long as the others' but for one
        image. Raises GenreidError where there are not enough."""
        return Part.all_of(num)

    def gather(self, values: Tensor, part: Part) -> Tensor:
        """(n, …) → (N, …): those of all ranks in the order of the batch; gradients find their way back."""
        return values

    def whole(self, part: Part) -> Callable[[Tensor], Tensor]:
        """`gather` for this part."""
        return partial(self.gather, part=part)

    def weigh(self, loss: Tensor, part: Part) -> Tensor:
        """What is followed backwards of a mean over this rank's images: its gradients, added up over the
        ranks, are those of the mean over all."""
        return loss

    def reweigh(self, loss: Tensor, count: Tensor, part: Part) -> Tensor:
        """A mean over `count` (), 1 where it is 0, things of this rank, as `weigh` and `mean` take it: so
        that they make it a mean over all ranks' things."""
        return loss

    def mean(self, losses: Mapping[str, Tensor], part: Part) -> dict[str, Tensor]:
        """Means over the images of all ranks, detached, of those over this one's."""
        return dict(losses)

    def sum_gradients(self, *optimisers: torch.optim.Optimizer) -> None:
        """Add up over the ranks what the weights of optimisers have gathered."""

    def statistics(self, kind: RankStatistics) -> AbstractContextManager[Any]:
        """How batch norm takes its statistics within the block."""
        return nullcontext()

    def share_running(self, network: nn.Module, kind: RankStatistics) -> None:
        """Running statistics, which are the ranks' own, become the mean over all of them."""

    def align(self, *networks: nn.Module) -> None:
        """Weights and buffers become those of rank 0."""

    def first(self, make: Callable[[], T]) -> T:
        """What `make` returns on rank 0, which alone calls it."""
        return make()

    def checkpoints(self, own: Checkpoints) -> Checkpoints:
        """Those of rank 0, for all."""
        return own


ALONE = Ranks()


class SeveralRanks(Ranks):
    """The ranks of torch.distributed's default group, which must be there. device: of the networks."""

    def __init__(self, device: torch.device) -> None:
        self.rank, self.num = dist.get_rank(), dist.get_world_size()
        self._device = device

    def part(self, num: int) -> Part:
        if num < 2 * self.num:  # one alone has no variance
            raise GenreidError(
                f"{self.num} ranks share a batch of {num} images: expected two for each; take fewer --ranks, "
                "or a larger batch"
            )
        return Part(slice(self.rank * num // self.num, (self.rank + 1) * num // self.num), num)

    def gather(self, values: Tensor, part: Part) -> Tensor:
        whole = values.new_zeros(part.num, *values.shape[1:])
        whole[part.rows] = values
        return summed(whole)

    def weigh(self, loss: Tensor, part: Part) -> Tensor:
        return loss * part.share

    def reweigh(self, loss: Tensor, count: Tensor, part: Part) -> Tensor:
        own, of_all = count.clamp(min=1), summed(count).clamp(min=1)
        return loss * (own / of_all / part.share)

    def mean(self, losses: Mapping[str, Tensor], part: Part) -> dict[str, Tensor]:
        if not losses:
            return {}
        told = summed(torch.stack([loss.detach() * part.share for loss in losses.values()]))
        return dict(zip(losses, told, strict=True))

    def sum_gradients(self, *optimisers: torch.optim.Optimizer) -> None:
        for optimiser in optimisers:
            weights = [weight for group in optimiser.param_groups for weight in group["params"]]
            sum_in_place(weight.grad for weight in weights if weight.grad is not None)

    def statistics(self, kind: RankStatistics) -> AbstractContextManager[Any]:
        return Synchronised(self.rank, self.num) if kind == "synchronised" else nullcontext()

    def share_running(self, network: nn.Module, kind: RankStatistics) -> None:
        if kind == "own":
            norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
            running = [(norm.running_mean, norm.running_var) for norm in norms]
            sum_in_place(buffer.div_(self.num) for pair in running for buffer in pair if buffer is not None)

    @torch.no_grad()
    def align(self, *networks: nn.Module) -> None:
        for network in networks:
            for tensor in network.state_dict().values():
                sent = tensor.contiguous()
                dist.broadcast(sent, 0)
                tensor.copy_(sent)

    def first(self, make: Callable[[], T]) -> T:
        made: list[Any] = [make() if self.rank == 0 else None]
        dist.broadcast_object_list(made, 0)
        found: T = made[0]
        return found

    def checkpoints(self, own: Checkpoints) -> Checkpoints:
        return _OfFirst(own, self)


class _OfFirst:
    """Rank 0 keeps the state, which is the same everywhere, and reads it for all."""

    def __init__(self, own: Checkpoints, ranks: SeveralRanks) -> None:
        self._own, self._ranks = own, ranks

    def restore(self) -> dict[str, Any] | None:
        return self._ranks.first(self._own.restore)

    def offer(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        if self._ranks.rank == 0:
            self._own.offer(snapshot)
