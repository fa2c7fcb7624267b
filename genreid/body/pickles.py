"""Pickles of bodies, read without running any code that they bring.

SMPL is handed out as pickles of Python 2, some with objects of chumpy, a package that no longer installs. A
pickle names the functions that rebuild its objects, and an ordinary loader calls whatever is named. Here the
few names that a body needs (arrays, scipy's sparse matrices, chumpy's objects) give inert stand-ins, which
hold what the file says and do nothing; the numbers are taken out of them afterwards. Every other name is
refused.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreid.errors import GenreidError, is_of_machine

_SPARSE = ("csc_matrix", "csr_matrix", "coo_matrix")


class _StandIn:
    """What a file says of an object: the arguments it is made from, and its state. `of` names its class."""

    of = ""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = {}

    def __setstate__(self, state: Any) -> None:
        # An object that is only reconstructed never sees __init__.
        self.arguments, self.state = getattr(self, "arguments", ()), state

    def entry(self, name: str) -> Any:
        state = getattr(self, "state", {})
        if not isinstance(state, Mapping) or name not in state:
            raise ValueError(f"an object of {self.of} has no {name}")
        return state[name]


class _Array(_StandIn):
    of = "numpy.ndarray"


class _DType(_StandIn):
    of = "numpy.dtype"


def read_pickled_arrays(path: Path, names: list[str]) -> dict[str, NDArray[Any]]:
    """Those of the named entries of a pickled dictionary that it has, as plain arrays of numbers.

    Of chumpy's classes it takes values (`Ch`) and what picks or reorders them (`Select`, `Reshape`,
    `transpose`). Protocols 0 to 5, those of Python 2 as well.

    Raises:
        GenreidError: the pickle names anything else (it may be an attempt to run code), it is damaged, or it
            holds no dictionary of arrays.
    """
    try:
        with path.open("rb") as stream:
            content = _Reader(stream, path).load()
        if not isinstance(content, Mapping):
            raise ValueError(f"it holds a {type(content).__name__}, not a dictionary")
        return {name: _numbers(content[name]) for name in names if name in content}
    except GenreidError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        if is_of_machine(error):
            raise
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise GenreidError(
            f"'{path}' is no readable body ({reason}); expected a pickled dictionary of arrays, as SMPL is "
            "handed out: get the file anew"
        ) from error


class _Reader(pickle.Unpickler):
    """An unpickler of stand-ins."""

    def __init__(self, stream: Any, path: Path) -> None:
        super().__init__(stream, encoding="latin1")  # text and the bytes of arrays are one type in Python 2
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        package, _, rest = module.partition(".")
        if package == "chumpy" and name.isidentifier():
            return type(name, (_StandIn,), {"of": f"chumpy.{name}"})
        if package == "scipy" and rest.startswith("sparse") and name in _SPARSE:
            return type(name, (_StandIn,), {"of": f"scipy.{name}"})
        if (module, name) not in _KNOWN:
            raise GenreidError(
                f"'{self._path}' was not loaded: it asks for {module}.{name}, and a body holds arrays and "
                "objects of chumpy alone; it may try to run code: get the file from its publisher"
            )
        return _KNOWN[module, name]

    def persistent_load(self, identity: Any) -> Any:
        raise GenreidError(f"'{self._path}' was not loaded: it refers to objects outside itself")


def _reconstructor(kind: Any, base: Any, state: Any) -> Any:
    """In place of `copyreg._reconstructor`: an empty object, of the stand-ins alone."""
    if not (isinstance(kind, type) and issubclass(kind, _StandIn)):
        raise ValueError(f"it makes an object of {kind!r}")
    return kind()


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    """In place of numpy's function of that name: the array's state follows."""
    return _Array()


def _frombuffer(buffer: Any, dtype: Any, shape: Any, order: str, axes: Any = None) -> _Array:
    """In place of numpy's function of that name (protocol 5)."""
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", buffer))
    return array


def _scalar(dtype: Any, content: Any) -> _Array:
    """In place of numpy's function of that name."""
    return _frombuffer(content, dtype, (), "C")


def _encode(text: str, encoding: str) -> bytes:
    """In place of `codecs.encode`, with which Python 3 writes bytes in old protocols."""
    if encoding != "latin1":
        raise ValueError(f"it encodes in {encoding}")
    return text.encode("latin1")


def _known() -> dict[tuple[str, str], Any]:
    table: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _DType,
        ("copy_reg", "_reconstructor"): _reconstructor,
        ("copyreg", "_reconstructor"): _reconstructor,
        ("collections", "OrderedDict"): OrderedDict,
        ("_codecs", "encode"): _encode,
    }
    for core in ("numpy.core", "numpy._core"):
        table[f"{core}.multiarray", "_reconstruct"] = _reconstruct
        table[f"{core}.multiarray", "scalar"] = _scalar
        table[f"{core}.numeric", "_frombuffer"] = _frombuffer
    for builtins in ("builtins", "__builtin__"):
        for kind in (object, set, frozenset):
            table[builtins, kind.__name__] = kind
    return table


_KNOWN = _known()


def _numbers(value: Any) -> NDArray[Any]:
    """The numbers of an array, a sparse matrix, or one of chumpy's objects."""
    if isinstance(value, _Array):
        return _array(value)
    if not isinstance(value, _StandIn):
        array = np.asarray(value)
        if array.dtype.kind not in "iufb":
            raise ValueError(f"an entry is a {type(value).__name__}, not numbers")
        return array
    if value.of.startswith("scipy."):
        return _dense(value)
    kind = value.of.removeprefix("chumpy.")
    if kind == "Ch":
        return _numbers(value.entry("x"))
    if kind not in ("Select", "Reshape", "transpose"):
        raise ValueError(f"an entry is an object of {value.of}; only values and selections are known")
    inner = _numbers(value.entry("a"))
    if kind == "Reshape":
        return inner.reshape(value.entry("newshape"))
    if kind == "transpose":
        return inner.transpose(value.entry("axes"))
    return inner.ravel()[_numbers(value.entry("idxs"))].reshape(value.entry("preferred_shape"))


def _array(array: _Array) -> NDArray[Any]:
    """The array of a state (version, shape, dtype, whether in Fortran's order, bytes)."""
    _, shape, dtype, fortran, content = array.state
    if not isinstance(dtype, _DType) or isinstance(content, list):
        raise ValueError("an array holds objects, not numbers")
    code, order = str(dtype.arguments[0]), str(dtype.state[1])
    if code[:1] not in "iufb" or order not in "<>|=":
        raise ValueError(f"an array is of type {order}{code}, not numbers")
    raw = content.encode("latin1") if isinstance(content, str) else content
    values = np.frombuffer(raw, np.dtype(order + code))
    return values.reshape(shape, order="F" if fortran else "C")


def _dense(matrix: _StandIn) -> NDArray[Any]:
    import scipy.sparse

    kind = matrix.of.removeprefix("scipy.").removesuffix("_matrix")
    shape = tuple(int(side) for side in matrix.entry("_shape"))
    data = _numbers(matrix.entry("data"))
    if kind == "coo":
        place: tuple[Any, ...] = _numbers(matrix.entry("row")), _numbers(matrix.entry("col"))
        return scipy.sparse.coo_array((data, place), shape=shape).toarray()
    build = scipy.sparse.csc_array if kind == "csc" else scipy.sparse.csr_array
    indices, starts = _numbers(matrix.entry("indices")), _numbers(matrix.entry("indptr"))
    return build((data, indices, starts), shape=shape).toarray()
