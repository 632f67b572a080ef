"""Reading `.pdparams`: a pickle, of which nothing but arrays and plain containers is accepted."""

from __future__ import annotations

import pickle  # only with the class below, which refuses everything that could run
from pathlib import Path
from typing import Any

import numpy as np

from paredown.contracts import Array
from paredown.errors import WeightsError

_BROKEN = (AttributeError, EOFError, IndexError, KeyError, OSError, TypeError, ValueError, pickle.UnpicklingError)
"""What unpickling damaged or forbidden content raises."""

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


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def read_pdparams(path: Path) -> dict[str, Array]:
    """The arrays of a `.pdparams` file by their names in the file.

    Raises:
        WeightsError: The file is missing, cut short, or holds anything that is no array or plain container.
    """
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file).load()
    except _BROKEN as error:
        raise WeightsError(
            "the weights cannot be read, or hold more than arrays",
            where=str(path),
            value=str(error) or type(error).__name__,
            expected="a state saved by paddle.save: names and arrays",
            remedy="save the network's state_dict alone, or convert it to safetensors",
        ) from error
    pairs = content.items() if isinstance(content, dict) else ()
    # paddle.save writes a tensor as (its name, its array); older versions wrote the array alone.
    unpacked = {name: value[1] if isinstance(value, tuple) and len(value) == 2 else value for name, value in pairs}
    return {name: value for name, value in unpacked.items() if isinstance(value, np.ndarray)}
