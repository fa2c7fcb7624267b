"""Which images of a batch this process works on, where several processes share one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """The images at `rows` of a batch of `num`."""

    rows: slice
    num: int

    @classmethod
    def all_of(cls, num: int) -> Part:
        return cls(slice(0, num), num)

    def __len__(self) -> int:
        return int(self.rows.stop - self.rows.start)

    @property
    def share(self) -> float:
        """How much of the batch it is."""
        return len(self) / self.num
