"""Reading `.pdparams` into neutral names: Paddle's own names are looked up in the network that they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paredown.algorithms.checkpoints import unwrapped, without_prefix
from paredown.contracts import Array, Checkpoint
from paredown_paddle.names import Slot, tensors
from paredown_paddle.unpickling import read_content


def read(path: Path, model: Any) -> Checkpoint:
    """The arrays of a state under neutral names and in torch's layouts; a name that the network lacks stays as it is.

    Args:
        path: What `paddle.save` wrote.
        model: The network that the state is of.

    Raises:
        WeightsError: The file is damaged, or holds more than arrays.
    """
    arrays, notes = unwrapped(read_content(path), lambda value: isinstance(value, np.ndarray))
    slots = _by_own_name(model)
    arrays, prefixes = without_prefix(arrays, slots.keys())
    return Checkpoint(dict(_neutral(name, values, slots) for name, values in arrays.items()), (*notes, *prefixes))


def _by_own_name(model: Any) -> dict[str, tuple[str, Slot]]:
    """Paddle's name of each tensor to its neutral one and its place."""
    paths = {id(layer): path for path, layer in model.named_sublayers(include_self=True)}
    found = {}
    for neutral, slot in tensors(model).items():
        path = paths[id(slot.layer)]
        found[f"{path}.{slot.attribute}" if path else slot.attribute] = (neutral, slot)
    return found


def _neutral(name: str, values: Array, slots: dict[str, tuple[str, Slot]]) -> tuple[str, Array]:
    if name not in slots:
        return name, values
    neutral, slot = slots[name]
    return neutral, np.array(values.T if slot.transposed and values.ndim == 2 else values, order="C")
