"""How fast an encoder is on this machine."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from genreid.models.encoder import IdentityEncoder
from genreid.timing import least_seconds_of

_NUM_TIMED = 16


@dataclass(frozen=True)
class Speed:
    """Seconds that an encoder takes for a picture: looking at it, and learning from it."""

    looking: float
    learning: float

    @classmethod
    def of(
        cls,
        encoder: IdentityEncoder,
        size_px: tuple[int, int],
        device: torch.device,
        *,
        bfloat16: bool = False,
    ) -> Speed:
        """Time `encoder`, which stays as it is, on pictures of this height and width; learning in bfloat16,
        where training does."""
        copied = copy.deepcopy(encoder).to(device)
        pictures = torch.zeros(_NUM_TIMED, 3, *size_px, device=device)
        pictures = pictures.to(memory_format=torch.channels_last)

        def look() -> None:
            with torch.no_grad():
                copied(pictures)

        def learn() -> None:
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                embedding = copied(pictures).embedding
            embedding.float().sum().backward()

        found = []
        for work, learns in ((look, False), (learn, True)):
            copied.train(learns)
            work()  # the first time chooses kernels
            found.append(least_seconds_of(work, device) / _NUM_TIMED)
        return cls(*found)
