"""Reading `.pdparams`: a pickle, of which nothing but arrays and plain containers is accepted."""

from __future__ import annotations

import pickle  # only with the class below, which refuses everything that could run
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paredown.contracts import Array
from paredown.errors import WeightsError

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")

_ALLOWED = {
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((module, "_reconstruct") for module in _ARRAY_MODULES),
    *((module, "scalar") for module in _ARRAY_MODULES),
}
"""What a pickled NumPy array names; rebuilding one runs no code of the file's choice."""


_OWN_TABLE = "StructuredToParameterName@@"
"""Where paddle.save notes what it calls the arrays inside; it says nothing that the file's names do not."""


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def read_content(path: Path) -> dict[str, Any]:
    """What a `.pdparams` file holds: arrays by their names in the file, and plain values and containers beside them.

    Raises:
        WeightsError: The file is missing, cut short, or holds anything that is no array or plain container.
    """
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file).load()
    except Exception as error:  # a damaged or hostile pickle raises whatever its opcodes lead to
        raise WeightsError(
            "the weights cannot be read, or hold more than arrays",
            where=str(path),
            value=(str(error) or type(error).__name__).splitlines()[0],
            expected="a state saved by paddle.save: names and arrays",
            remedy="save the network's state_dict alone, or convert it to safetensors",
        ) from error
    return _unpacked(content) if isinstance(content, dict) else {}


def read_pdparams(path: Path) -> dict[str, Array]:
    """The arrays of a `.pdparams` file by their names in the file.

    Raises:
        WeightsError: As `read_content`.
    """
    return {name: value for name, value in read_content(path).items() if isinstance(value, np.ndarray)}


def _unpacked(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Arrays in place of the pairs that paddle.save writes (its name, its array); older versions wrote arrays alone."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        if name == _OWN_TABLE:
            continue
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], np.ndarray):
            value = value[1]  # noqa: PLW2901
        if isinstance(value, dict):
            found[str(name)] = _unpacked(value)
        elif not isinstance(value, np.ndarray) or value.dtype.kind in "fiub":
            found[str(name)] = value
    return found
