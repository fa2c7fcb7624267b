"""Who may match whom: identities and cameras by the Market-1501 protocol (Zheng et al., ICCV 2015).

For each query, gallery images of its identity *and* camera are left out. Junk (identity −1) is left out of
every list; identity 0, a distractor, stays in as a wrong answer. Unknown cameras (−1) count as one camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.errors import GenreidError

JUNK = -1
DISTRACTOR = 0


@dataclass(frozen=True)
class Labels:
    """Identity and camera of each image of a split, (N,) int64 both."""

    ids: np.ndarray
    cameras: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray, cameras: np.ndarray, num: int, split: str) -> Labels:
        ids, cameras = np.asarray(ids, np.int64), np.asarray(cameras, np.int64)
        if ids.shape != (num,) or cameras.shape != (num,) or num == 0:
            raise GenreidError(
                f"{split}: {ids.shape} identities and {cameras.shape} cameras for {num} images: expected one "
                "of each an image, and at least one image; check the manifest's split"
            )
        return cls(ids, cameras)


@dataclass(frozen=True)
class Groups:
    """Gallery images by identity: `members` sorted by identity, then position; junk kept apart.

    begin, end: (Q,) where the images of a query's identity stand in `members`; equal if it cannot match.
    """

    members: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    junk: np.ndarray

    @classmethod
    def of(cls, queries: Labels, gallery: Labels) -> Groups:
        members = np.argsort(gallery.ids, kind="stable")
        sorted_ids = gallery.ids[members]
        begin = np.searchsorted(sorted_ids, queries.ids, side="left")
        end = np.searchsorted(sorted_ids, queries.ids, side="right")
        nobody = (queries.ids == JUNK) | (queries.ids == DISTRACTOR)
        return cls(members, begin, np.where(nobody, begin, end), np.flatnonzero(gallery.ids == JUNK))


def require_cameras(queries: Labels, gallery: Labels) -> None:
    """Refuse what one camera alone took: the protocol leaves nothing of it to be found."""
    cameras = np.union1d(queries.cameras, gallery.cameras)
    if len(cameras) == 1:
        raise GenreidError(
            f"query and gallery are all of camera {cameras[0]}: cross-camera metrics are undefined; expected "
            "images from at least 2 cameras; check the camera column of the manifest"
        )
