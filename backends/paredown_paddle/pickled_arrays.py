"""What stands in for the names that a pickled array holds: each checks all that a file says before NumPy sees it."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from paredown.contracts import Array

_CODE = re.compile(r"[<>|=]?[fiubc][0-9]{1,2}")
_PLAIN_REST = (None, None, None, -1, -1, 0)
"""What stands behind the byte order in the state of a dtype without fields, alignment and flags."""

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")


class Name:
    """A name of a pickle, to be called in place of what it names. A file cannot set anything on it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        """What the name makes of a file's arguments."""
        return self._make(*arguments)

    def __setstate__(self, state: Any) -> None:
        """Refuses to be changed."""
        raise pickle.UnpicklingError("it sets attributes of a function or class")


class PickledType:
    """A dtype of numbers: letter, size and byte order."""

    __slots__ = ("dtype",)

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"an array of type {str(code)[:20]!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        """Takes the byte order; fields, alignment and flags would let a file say where objects lie in memory."""
        is_plain = isinstance(state, tuple) and len(state) == 8 and state[0] == 3 and state[2:] == _PLAIN_REST
        if not is_plain or state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("a type of arrays with flags or fields")
        self.dtype = self.dtype.newbyteorder(state[1])


class PickledArray:
    """An array: `values` is there once its state was read; bfloat16, which Paddle writes as uint16, is float32."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: Array | None = None

    def __setstate__(self, state: Any) -> None:
        """Takes shape, type, order and bytes where they fit each other."""
        _, shape, kind, is_fortran, data = state
        values = _numbers(kind, shape, data, "F" if is_fortran else "C")
        self.values = _from_bfloat16(values) if values.dtype == np.uint16 else values


def _numbers(kind: Any, shape: Any, data: Any, order: Any) -> Array:
    """Numbers of a checked type from bytes, as many as the shape has."""
    if not isinstance(kind, PickledType) or not isinstance(data, bytes) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("an array of something else than bytes")
    is_shape = len(shape) <= 32 and all(isinstance(length, int) and length >= 0 for length in shape)
    if not is_shape or math.prod(shape) * kind.dtype.itemsize != len(data):
        raise pickle.UnpicklingError(f"an array of {len(data)} bytes and another shape")
    return np.ndarray(shape, kind.dtype, data, order=order).astype(kind.dtype.newbyteorder("="))


def _from_bfloat16(values: Array) -> Array:
    return (values.astype(np.uint32) << 16).view(np.float32)


def _reconstruct(kind: Any, *_: Any) -> PickledArray:
    if kind is not NAMES["numpy", "ndarray"]:
        raise pickle.UnpicklingError("an array of a class of its own")
    return PickledArray()


def _scalar(kind: Any, data: Any) -> Any:
    return _numbers(kind, (), data, "C").item()


def _encode(text: Any, codec: Any) -> bytes:
    if not isinstance(text, str) or codec != "latin1":
        raise pickle.UnpicklingError("bytes in another coding than latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


def _refused(*_: Any) -> Any:
    raise pickle.UnpicklingError("it makes an array without its bytes")


NAMES = {
    ("_codecs", "encode"): Name(_encode),
    ("__builtin__", "bytes"): Name(_no_bytes),  # what protocol 2 writes for none
    ("collections", "OrderedDict"): Name(dict[Any, Any]),
    ("numpy", "dtype"): Name(PickledType),
    ("numpy", "ndarray"): Name(_refused),
    **{(module, "_reconstruct"): Name(_reconstruct) for module in _ARRAY_MODULES},
    **{(module, "scalar"): Name(_scalar) for module in _ARRAY_MODULES},
}
"""What a pickled NumPy array names, and what is called in its place."""
