"""Small folders of crops, drawn at random."""

from __future__ import annotations

from pathlib import Path

from tests.genreid.data.datasets.trees import write_images


def market_names(num_persons: int, num_cameras: int, num_images: int, first: int = 1) -> list[str]:
    return [
        f"{person:04}_c{camera}s1_{number:06}_01.jpg"
        for person in range(first, first + num_persons)
        for camera in range(1, num_cameras + 1)
        for number in range(num_images)
    ]


def published(root: Path) -> None:
    """Market-1501, with few images."""
    write_images(root / "bounding_box_train", market_names(20, 3, 2))
    write_images(root / "query", market_names(3, 2, 1, first=100))
    write_images(root / "bounding_box_test", market_names(3, 3, 2, first=100))
