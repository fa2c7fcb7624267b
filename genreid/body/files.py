"""Files of bodies → arrays of SMPL's layout, checked. One reader a format, chosen by the file's ending.

`.npz`: arrays by SMPL's names. `.pkl`: SMPL as it is handed out (v1.0 with chumpy's objects, v1.1). `.pth`:
SMPL as the package simple-romp packs it for itself.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreid.body.layout import NUM_BETAS, NUM_JOINTS, PARENTS
from genreid.body.pickles import read_pickled_arrays
from genreid.errors import GenreidError, is_of_machine, why_not_loaded
from genreid.mistaken import mistaken_for
from genreid.packed import why_not_arrays, why_not_torch

SMPL_URL = "https://smpl.is.tue.mpg.de"
NUM_POSE_FEATURES = 9 * (NUM_JOINTS - 1)
NAMES = ("v_template", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights", "f")


def read_body_file(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a body file, by SMPL's names.

    v_template (V,3), shapedirs (V,3,10), posedirs (V,3,207), J_regressor (24,V), weights (V,24) as float32;
    f (F,3) and kintree_table (2,24) as int64. More than ten shape directions are cut to the first ten. One
    body gives the same arrays from every format.
    Raises GenreidError for a missing or unreadable file, a missing array, a wrong shape, another joint tree.
    """
    if what := mistaken_for(path):
        raise GenreidError(f"the body '{path}' is {what}")
    if not path.is_file():
        raise GenreidError(
            f"no body file at '{path}'; prepare_data.body is 'open' (the embedded body) or a file of SMPL's "
            f"layout ({', '.join(_READERS)}) from {SMPL_URL}: put it there, or name its place"
        )
    if path.suffix not in _READERS:
        raise GenreidError(
            f"cannot read a body from '{path}': '{path.suffix}' is not a known ending; expected one of "
            f"{', '.join(_READERS)}, or convert it to an .npz file that holds {', '.join(NAMES)}"
        )
    return _checked(_READERS[path.suffix](path), path)


def write_body_file(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write what `read_body_file` returned as an .npz file, which it reads back fast and to the same bits."""
    with path.open("wb") as stream:
        np.savez(stream, **{name: arrays[name] for name in NAMES})  # type: ignore[arg-type]


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        if what := why_not_arrays(path):
            raise ValueError(what)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in NAMES if name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if is_of_machine(error):
            raise
        # NumPy's own line advises to load it unsafely
        reason = "it holds objects, or is no such file" if "allow_pickle" in str(error) else error
        raise GenreidError(
            f"'{path}' is not a readable .npz body ({reason}); expected numeric arrays saved by numpy.savez"
        ) from error


def _read_packed(path: Path) -> dict[str, NDArray[Any]]:
    """simple-romp's own format: tensors, with posedirs flat (207, 3·V) and of the joint tree the parents."""
    import torch

    try:
        if what := why_not_torch(path):
            raise OSError(what)
        content = torch.load(path, map_location="cpu", weights_only=True)
        arrays = {name: content[name].numpy() for name in NAMES if name in content}
        if "posedirs" in arrays:
            arrays["posedirs"] = arrays["posedirs"].T.reshape(-1, 3, len(arrays["posedirs"]))
        if "kintree_table" in arrays:
            arrays["kintree_table"] = np.stack([arrays["kintree_table"], np.arange(NUM_JOINTS)])
        return arrays
    except Exception as error:  # torch.load raises a dozen kinds for a file that is not its own
        if is_of_machine(error):
            raise
        raise GenreidError(
            f"'{path}' is no body as simple-romp packs it ({why_not_loaded(error)}); make it with "
            "`romp.prepare_smpl`"
        ) from error


def _read_pickle(path: Path) -> dict[str, NDArray[Any]]:
    return read_pickled_arrays(path, list(NAMES))


_READERS: dict[str, Callable[[Path], dict[str, NDArray[Any]]]] = {
    ".npz": _read_npz,
    ".pkl": _read_pickle,
    ".pth": _read_packed,
}


def _expected_shapes(num_vertices: int, num_faces: int) -> dict[str, tuple[int, ...]]:
    return {
        "v_template": (num_vertices, 3),
        "shapedirs": (num_vertices, 3, NUM_BETAS),
        "posedirs": (num_vertices, 3, NUM_POSE_FEATURES),
        "J_regressor": (NUM_JOINTS, num_vertices),
        "kintree_table": (2, NUM_JOINTS),
        "weights": (num_vertices, NUM_JOINTS),
        "f": (num_faces, 3),
    }


def _checked(arrays: dict[str, NDArray[Any]], path: Path) -> dict[str, NDArray[Any]]:
    missing = [name for name in NAMES if name not in arrays]
    if missing:
        raise GenreidError(f"'{path}' lacks {', '.join(missing)}; expected all arrays of SMPL's layout")
    if arrays["shapedirs"].ndim == 3:
        arrays["shapedirs"] = arrays["shapedirs"][..., :NUM_BETAS]
    num_vertices, num_faces = (arrays[n].shape[0] if arrays[n].ndim else 0 for n in ("v_template", "f"))
    for name, shape in _expected_shapes(num_vertices, num_faces).items():
        if arrays[name].shape != shape:
            raise GenreidError(f"{name} in '{path}' has shape {arrays[name].shape}; expected {shape}")
    faces = arrays["f"]
    if num_faces == 0 or faces.min() < 0 or faces.max() >= num_vertices:
        raise GenreidError(f"f in '{path}' refers to vertices outside 0..{num_vertices - 1}")
    integers = {"f", "kintree_table"}
    arrays = {n: a.astype(np.int64 if n in integers else np.float32) for n, a in arrays.items()}
    damaged = [name for name in arrays if not np.isfinite(arrays[name]).all()]
    if damaged:
        raise GenreidError(
            f"{', '.join(damaged)} in '{path}' has values that are not finite; make the file anew"
        )
    parents = arrays["kintree_table"][0].tolist()
    if parents[1:] != list(PARENTS[1:]):
        raise GenreidError(
            f"kintree_table in '{path}' has the parents {parents}; expected SMPL's {list(PARENTS)}"
        )
    arrays["kintree_table"][0, 0] = PARENTS[0]  # written as −1 or as 2**32−1, by version
    return arrays
