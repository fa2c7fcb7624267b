"""How large the benchmark is."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.errors import GenreidError


@dataclass(frozen=True)
class SyntheticSettings:
    """Size of the synthetic benchmark.

    Attributes:
        train_identities, val_identities, test_identities: persons of each part; no person is in two.
        num_cameras: cameras of the world, each with its own background, electronics and usual headings.
        min_images, max_images: pictures of one person, over all cameras.
        height_px, width_px: size of the pictures as they are stored.
    """

    train_identities: int
    val_identities: int
    test_identities: int
    num_cameras: int
    min_images: int
    max_images: int
    height_px: int
    width_px: int

    def __post_init__(self) -> None:
        lowest = {
            "train_identities": 1,
            "val_identities": 0,
            "test_identities": 1,
            "num_cameras": 2,
            "min_images": 4,
            "max_images": self.min_images,
            "height_px": 32,
            "width_px": 16,
        }
        for name, least in lowest.items():
            value = getattr(self, name)
            if value < least:
                raise GenreidError(
                    f"synthetic.{name} is {value}, expected at least {least}: raise it "
                    "(a query needs another camera's picture of the same person)"
                )
        if self.num_cameras > 99 or self.train_identities + self.val_identities + self.test_identities > 9999:
            raise GenreidError(
                "the synthetic benchmark names pictures like 0001_c2_003: expected at most 9999 identities "
                "and 99 cameras; lower synthetic.*_identities or synthetic.num_cameras"
            )
