"""MSMT17: fifteen cameras, indoors and outdoors, four days. List files say what is what.

`list_train.txt`, `list_val.txt` (both below `train`), `list_query.txt` and `list_gallery.txt` (below `test`)
hold lines `0000/0000_000_01_0303morning_0008_0.jpg 0`: path and identity; the third field of the name is the
camera. V2 has the same lists and blurred faces below `mask_train_v2` and `mask_test_v2`.

As in the field's unsupervised work, training takes the images of both training lists. Identities of the lists
start from 0, which means a distractor elsewhere, and start again in the test lists: here training
identities are 1 … 1041 and test identities 10001 … 13060.
"""

from __future__ import annotations

import re

from genreid.data.datasets.layout import ANY_FOLDER, Count, ImageFile, Layout, Listing, locate
from genreid.data.files import AnyPath
from genreid.errors import GenreidError

LISTS = (
    ("list_train.txt", "train"),
    ("list_val.txt", "train"),
    ("list_query.txt", "query"),
    ("list_gallery.txt", "gallery"),
)
_FOLDERS = {"train": ("train", "mask_train_v2"), "test": ("test", "mask_test_v2")}
_NUMBER = re.compile(r"\d{1,4}")
_FIRST_IDENTITY = {"train": 1, "test": 10_001}


def find(folder: AnyPath) -> Listing:
    """The images of MSMT17, V1 or V2, in `folder` or a folder such as `MSMT17_V1` below it."""
    root = locate(folder, LISTS[0][0], lambda place: place.is_file(), "MSMT17")
    images: list[ImageFile] = []
    for name, split in LISTS:
        part = "train" if split == "train" else "test"
        if _is_there(root, name, part):
            images.extend(_read_list(root, name, split, _image_folder(root, part), _FIRST_IDENTITY[part]))
    return Listing(root, images)


def _is_there(root: AnyPath, name: str, part: str) -> bool:
    """Whether a list is. One of a pair without the other would be half of the data set, or queries without a
    gallery; without both test lists there is training data all the same.
    """
    if (root / name).is_file():
        return True
    pair = [one for one, split in LISTS if (split == "train") == (part == "train")]
    if there := [one for one in pair if (root / one).is_file()]:
        raise GenreidError(
            f"{root}: there is {there[0]} and no {name}: put the data set's own {name} beside it, or read "
            f"the images without lists by prepare_data.dataset: {ANY_FOLDER}"
        )
    return False


def _image_folder(root: AnyPath, part: str) -> str:
    """The name of the folder with the images of a part, whatever its case."""
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    for name in names:
        if name.lower() in _FOLDERS[part]:
            return name
    raise GenreidError(
        f"{root}: neither {' nor '.join(_FOLDERS[part])}: expected the images of MSMT17 (V1 or V2) beside "
        "its lists; unpack them there"
    )


def _read_list(root: AnyPath, name: str, split: str, folder: str, first_identity: int) -> list[ImageFile]:
    images = []
    try:
        lines = (root / name).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise GenreidError(f"{root / name} is no text in UTF-8: take the data set's own list") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        path, _, label = line.strip().replace("\\", "/").rpartition(" ")  # lists that Windows wrote
        fields = path.rpartition("/")[2].split("_")
        if not _NUMBER.fullmatch(label) or len(fields) < 3 or not _NUMBER.fullmatch(fields[2]):
            raise GenreidError(
                f"{root / name}:{number}: expected a path such as 0000/0000_000_01_0303morning_0008_0.jpg, a "
                f"blank and an identity, got {line.strip()!r}: take the data set's own list"
            )
        person_id = int(label) + first_identity
        images.append(ImageFile(f"{folder}/{path.strip()}", split, int(fields[2]), person_id))
    return images


MSMT17 = Layout(
    name="msmt17",
    citation=(
        "Wei, Zhang, Gao, Tian: Person Transfer GAN to Bridge Domain Gap for Person Re-Identification. "
        "CVPR 2018"
    ),
    official={"train": Count(32_621, 1_041), "query": Count(11_659, 3_060), "gallery": Count(82_161, 3_060)},
    num_cameras=15,
    find=find,
)
