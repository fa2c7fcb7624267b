"""Stand-ins for the files that a licence keeps out of the project: another body in their real layouts.

SMPL as it is handed out, written as Python 2 wrote it: protocol 2, bytes and text of one type, modules by the
names they had then. v1.0 holds objects of chumpy, whose classes are made here under chumpy's names. And SMPL
as simple-romp packs it.
"""

from __future__ import annotations

import pickle
import struct
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray

from genreid.body.body import OPEN_BODY_PATH
from genreid.body.files import read_body_file

Arrays = dict[str, NDArray[Any]]


def smpl_arrays(seed: int = 0, num_vertices: int | None = None) -> Arrays:
    """The open body's arrays as SMPL holds them: 300 shape directions, posedirs that are not zero.

    num_vertices: with so many of its vertices only, joined anyhow; quick to write and read.
    """
    rng = np.random.default_rng(seed)
    arrays = read_body_file(OPEN_BODY_PATH)
    if num_vertices is not None:
        for name in ("v_template", "shapedirs", "weights"):
            arrays[name] = arrays[name][:num_vertices]
        arrays["J_regressor"] = np.full((24, num_vertices), 1 / num_vertices)
        arrays["f"] = rng.integers(0, num_vertices, (50, 3))
    num = len(arrays["v_template"])
    arrays = {name: array.astype(np.float64) for name, array in arrays.items()}
    more = 1e-3 * rng.normal(size=(num, 3, 290)) if num_vertices else np.zeros((num, 3, 0))
    arrays["shapedirs"] = np.concatenate([arrays["shapedirs"], more], axis=2)
    arrays["posedirs"] = 1e-3 * rng.normal(size=(num, 3, 207))
    parents = arrays["kintree_table"].astype(np.int64)
    parents[0, 0] = 2**32 - 1
    return arrays | {"kintree_table": parents.astype(np.uint32), "f": arrays["f"].astype(np.uint32)}


def write_smpl_1_0(path: Path, arrays: Arrays) -> None:
    """The layout of basicModel_f_lbs_10_207_0_v1.0.0.pkl, with objects of chumpy."""
    with _chumpy() as (value, select):
        shapes = arrays["shapedirs"]
        wide = np.concatenate([shapes, shapes], axis=2)
        chosen = np.arange(wide.size).reshape(wide.shape)[..., : shapes.shape[2]]
        _write(
            path,
            _smpl_entries(arrays)
            | {
                "v_template": value(arrays["v_template"]),
                "shapedirs": select(value(wide), chosen.ravel(), chosen.shape),
                "J": select(value(arrays["v_template"]), np.arange(72), (24, 3)),
            },
        )


def write_smpl_1_1(path: Path, arrays: Arrays) -> None:
    """The layout of basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl."""
    _write(path, _smpl_entries(arrays))


def write_packed(path: Path, arrays: Arrays) -> None:
    """SMPL_NEUTRAL.pth, as `romp.prepare_smpl` makes it."""
    rng = np.random.default_rng(1)
    num = len(arrays["v_template"])
    parents = arrays["kintree_table"][0].astype(np.int64)
    parents[0] = -1
    packed = {
        "kintree_table": parents,
        "J_regressor_extra9": rng.dirichlet(np.ones(num), 9),
        "J_regressor_h36m17": rng.dirichlet(np.ones(num), 17),
        "shapedirs": arrays["shapedirs"][..., :10],
        "posedirs": arrays["posedirs"].reshape(-1, 207).T,
        "extra_joints_index": rng.integers(0, num, 21),
        **{name: arrays[name].astype(np.float64) for name in ("f", "v_template", "J_regressor", "weights")},
    }
    whole = ("kintree_table", "extra_joints_index")
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in packed.items()}
    torch.save({name: t.long() if name in whole else t.float() for name, t in tensors.items()}, path)


def _smpl_entries(arrays: Arrays) -> dict[str, Any]:
    regressor = scipy.sparse.csc_matrix(arrays["J_regressor"])
    others = {"bs_style": "lbs", "bs_type": "lrotmin", "J_regressor_prior": regressor}
    return others | {**arrays, "posedirs": np.asfortranarray(arrays["posedirs"]), "J_regressor": regressor}


@contextmanager
def _chumpy() -> Iterator[tuple[Any, Any]]:
    """Makers of `chumpy.ch.Ch` and `chumpy.reordering.Select`, with the state that chumpy pickles."""

    def kind(module: str, name: str) -> Any:
        made = type(name, (), {"__module__": module, "__qualname__": name})
        sys.modules[module] = types.ModuleType(module)
        setattr(sys.modules[module], name, made)
        return made

    ch, select = kind("chumpy.ch", "Ch"), kind("chumpy.reordering", "Select")

    def value(array: NDArray[Any]) -> Any:
        one = ch()
        one.__dict__.update(x=array, _dirty_vars={"x"}, _itr=None, _depends_on_deps={})
        return one

    def selection(inner: Any, indices: NDArray[Any], shape: tuple[int, ...]) -> Any:
        one = select()
        one.__dict__.update(
            a=inner, idxs=indices, preferred_shape=shape, _dirty_vars={"a", "idxs"}, _itr=None
        )
        return one

    try:
        yield value, selection
    finally:
        del sys.modules["chumpy.ch"], sys.modules["chumpy.reordering"]


def _write(path: Path, content: Any) -> None:
    with path.open("wb") as stream:
        Python2Pickler(stream, protocol=2).dump(content)


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Writes what Python 2 would have written, down to the names that modules had."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]
    write: Any
    memoize: Any

    def _save_str(self, text: str | bytes) -> None:
        content = text.encode("latin1") if isinstance(text, str) else text
        self.write(b"T" + struct.pack("<i", len(content)) + content)
        self.memoize(text)

    def _save_kind(self, kind: Any, name: str | None = None) -> None:
        module = {"builtins": "__builtin__", "copyreg": "copy_reg"}.get(kind.__module__, kind.__module__)
        module = module.replace("numpy._core", "numpy.core").replace("sparse._csc", "sparse.csc")
        self.write(f"c{module}\n{name or kind.__qualname__}\n".encode())
        self.memoize(kind)

    save_global = _save_kind
    dispatch[str] = dispatch[bytes] = _save_str
    dispatch[type] = dispatch[types.FunctionType] = _save_kind
