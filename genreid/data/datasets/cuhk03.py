"""CUHK03 under the new protocol (767 identities to train, 700 to test), as exported to images.

`labeled` (boxes drawn by hand) and `detected` (boxes of a detector) each hold `bounding_box_train`, `query`
and `bounding_box_test` with names such as `0003_c1_21.png`: the export that came with the protocol and is
known as CUHK03-NP. The original `cuhk-03.mat` is not read: export it first.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from genreid.data.datasets.layout import Count, Layout, Listing, locate, read_split_folders
from genreid.data.datasets.market1501 import SPLITS
from genreid.data.files import AnyPath

_NAME = re.compile(r"(?P<person>\d{1,9})_c(?P<camera>\d)")
_CITATION = (
    "Li, Zhao, Xiao, Wang: DeepReID: Deep Filter Pairing Neural Network for Person Re-Identification. CVPR "
    "2014; protocol: Zhong, Zheng, Cao, Li: Re-ranking Person Re-identification with k-reciprocal Encoding. "
    "CVPR 2017"
)


def _finder(boxes: str) -> Callable[[AnyPath], Listing]:
    def find(folder: AnyPath) -> Listing:
        """The images of CUHK03-NP below `folder`, which may be the folder of the boxes itself."""
        if folder.name != boxes:
            folder = locate(folder, boxes, lambda place: place.is_dir(), f"CUHK03-NP ({boxes})") / boxes
        return read_split_folders(folder, SPLITS, _NAME, f"CUHK03-NP ({boxes})", "0003_c1_21.png")

    return find


CUHK03_LABELLED = Layout(
    name="cuhk03_labelled",
    citation=_CITATION,
    official={"train": Count(7_368, 767), "query": Count(1_400, 700), "gallery": Count(5_328, 700)},
    num_cameras=2,
    find=_finder("labeled"),
)
CUHK03_DETECTED = Layout(
    name="cuhk03_detected",
    citation=_CITATION,
    official={"train": Count(7_365, 767), "query": Count(1_400, 700), "gallery": Count(5_332, 700)},
    num_cameras=2,
    find=_finder("detected"),
)
