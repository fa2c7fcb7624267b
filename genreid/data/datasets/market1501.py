"""Market-1501: six cameras before a supermarket, boxes of a detector.

Names: `0002_c1s1_000451_03.jpg` is identity 2 in camera 1 (sequence 1, frame 451, box 3). In
`bounding_box_test`, `0000_…` is a distractor and `-1_…` junk. `gt_bbox` and `gt_query` take no part.
"""

from __future__ import annotations

import re

from genreid.data.datasets.layout import Count, Layout, Listing, read_split_folders
from genreid.data.files import AnyPath

SPLITS = {"bounding_box_train": "train", "query": "query", "bounding_box_test": "gallery"}
_NAME = re.compile(r"(?P<person>-?\d{1,9})_c(?P<camera>\d{1,4})s\d+_")


def find(folder: AnyPath) -> Listing:
    """The images of Market-1501 in `folder`, or in `Market-1501-v15.09.15` below it."""
    return read_split_folders(folder, SPLITS, _NAME, "Market-1501", "0002_c1s1_000451_03.jpg")


MARKET1501 = Layout(
    name="market1501",
    citation=(
        "Zheng, Shen, Tian, Wang, Wang, Tian: Scalable Person Re-identification: A Benchmark. ICCV 2015"
    ),
    # The gallery with its 2,798 distractors and 3,819 junk boxes; programs that leave junk out count 15,913.
    official={"train": Count(12_936, 751), "query": Count(3_368, 750), "gallery": Count(19_732, 750)},
    num_cameras=6,
    find=find,
)
