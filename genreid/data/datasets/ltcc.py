"""LTCC: persons who change their clothes, before twelve cameras.

Names: `094_1_c9_015923.png` is identity 94 in outfit 1, camera 9, frame 15923. The outfit is not read: what
is measured is the general setting, in which a match may wear the same clothes.
"""

from __future__ import annotations

import re

from genreid.data.datasets.layout import Count, Layout, Listing, read_split_folders
from genreid.data.files import AnyPath

_SPLITS = {"train": "train", "query": "query", "test": "gallery"}
_NAME = re.compile(r"(?P<person>\d{1,9})_\d+_c(?P<camera>\d{1,4})_\d+")


def find(folder: AnyPath) -> Listing:
    """The images of LTCC in `folder`, or in `LTCC_ReID` below it."""
    return read_split_folders(folder, _SPLITS, _NAME, "LTCC", "094_1_c9_015923.png")


LTCC = Layout(
    name="ltcc",
    citation="Qian, Wang, Zhang, Zhu, Fu, Xiang, Jiang, Xue: Long-Term Cloth-Changing Person "
    "Re-identification. ACCV 2020",
    official={"train": Count(9_576, 77), "query": Count(493, 75), "gallery": Count(7_050, 75)},
    num_cameras=12,
    find=find,
)
