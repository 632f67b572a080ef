"""Reading `.pdparams`: a pickle, of which nothing but arrays and plain containers is accepted."""

from __future__ import annotations

import pickle  # only with the class below, which gives it no name but those of our own stand-ins
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paredown.contracts import Array
from paredown.errors import WeightsError
from paredown_paddle.pickle_form import require_plain
from paredown_paddle.pickled_arrays import NAMES, PickledArray

_OWN_TABLE = "StructuredToParameterName@@"
"""Where paddle.save notes what it calls the arrays inside; it says nothing that the file's names do not."""


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return NAMES[module, name]


def read_content(path: Path) -> dict[str, Any]:
    """What a `.pdparams` file holds: arrays by their names in the file, and plain values and containers beside them.

    Raises:
        WeightsError: The file is missing, cut short, or holds anything that is no array or plain container.
    """
    try:
        with path.open("rb") as file:
            require_plain(file)
            file.seek(0)
            content = _ArraysOnly(file).load()
        return _unpacked(content) if isinstance(content, dict) else {}
    except Exception as error:  # a damaged or hostile pickle raises whatever its opcodes lead to
        raise WeightsError(
            "the weights cannot be read, or hold more than arrays",
            where=str(path),
            value=(str(error) or type(error).__name__).splitlines()[0],
            expected="a state saved by paddle.save: names and arrays",
            remedy="save the network's state_dict alone, or convert it to safetensors",
        ) from error


def read_pdparams(path: Path) -> dict[str, Array]:
    """The arrays of a `.pdparams` file by their names in the file.

    Raises:
        WeightsError: As `read_content`.
    """
    return {name: value for name, value in read_content(path).items() if isinstance(value, np.ndarray)}


def _unpacked(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Arrays in place of the pairs that paddle.save writes (its name, its array); older versions wrote arrays alone.

    Every dictionary is copied once, so that one which holds itself ends here too.
    """
    copies: dict[int, dict[str, Any]] = {id(content): {}}
    waiting = [content]
    while waiting:
        source = waiting.pop()
        for name, value in source.items():
            if isinstance(value, dict) and name != _OWN_TABLE and id(value) not in copies:
                copies[id(value)] = {}
                waiting.append(value)
        copies[id(source)].update(_entries(source, copies))
    return copies[id(content)]


def _entries(source: Mapping[Any, Any], copies: Mapping[int, dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, value in source.items():
        is_pair = isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], PickledArray)
        found = value[1] if is_pair else value
        kept = found.values if isinstance(found, PickledArray) else found
        if name == _OWN_TABLE or (isinstance(kept, np.ndarray) and kept.dtype.kind not in "fiub"):
            continue
        yield str(name), copies[id(kept)] if isinstance(kept, dict) else kept
