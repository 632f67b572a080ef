"""Neutral names: the names and layouts that torch gives to what stands in a Paddle network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paredown.contracts import Array
from paredown_paddle.framework import paddle

_ORIGIN = "_paredown_origin"
_BATCH_NORM = (paddle.nn.layer.norm._BatchNormBase, paddle.nn.BatchNorm)
_INSTANCE_NORM = paddle.nn.layer.norm._InstanceNormBase
_STATISTICS = {"_mean": "running_mean", "_variance": "running_var"}


@dataclass(frozen=True)
class Origin:
    """What a network of the zoo was built from; it travels with the network and with its copies.

    `layers` maps a layer's own path to its neutral name, where the two differ.
    """

    seed: int = 0
    layers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Slot:
    """Where one tensor of a network lives. `transposed` says that torch stores it the other way round."""

    layer: Any
    attribute: str
    transposed: bool

    @property
    def tensor(self) -> Any:
        """The tensor as Paddle holds it."""
        return getattr(self.layer, self.attribute)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in torch's layout."""
        shape = tuple(int(size) for size in self.tensor.shape)
        return shape[::-1] if self.transposed else shape

    def axis(self, axis: int) -> int:
        """The axis of Paddle's layout for an axis of torch's, and the other way round."""
        return 1 - axis if self.transposed else axis

    def read(self) -> Array:
        """A copy of the values in torch's layout, C order."""
        values = self.tensor.numpy()
        return np.array(values.T if self.transposed else values, order="C")

    def write(self, values: Array) -> None:
        """Puts values of the same shape, in torch's layout, into the tensor."""
        tensor = self.tensor
        own = np.ascontiguousarray(values.T if self.transposed else values)
        tensor.set_value(own.astype(tensor.numpy().dtype, copy=False))


def origin(model: Any) -> Origin:
    """Where a network comes from; an empty record for one that is not from the zoo."""
    found: Origin = getattr(model, _ORIGIN, None) or Origin()
    return found


def set_origin(model: Any, value: Origin) -> None:
    """Remembers where a network comes from."""
    object.__setattr__(model, _ORIGIN, value)


def is_batch_norm(layer: Any) -> bool:
    """Whether a layer is BatchNorm, of the present kind or of the legacy one with an activation inside."""
    return isinstance(layer, _BATCH_NORM)


def named_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Every layer with its neutral name, in the order of definition; the network itself has the empty name."""
    known = origin(model).layers
    for path, layer in model.named_sublayers(include_self=True):
        yield known.get(path, path), layer


def tensors(model: Any) -> dict[str, Slot]:
    """Neutral names to the places of all parameters and buffers, in the order of definition.

    Counters (integers with a single element) are left out, and so are buffers that Paddle does not save.
    """
    found: dict[str, Slot] = {}
    for name, layer in named_layers(model):
        transient = layer._non_persistable_buffer_names_set
        for attribute, tensor in [*layer._parameters.items(), *layer._buffers.items()]:
            if tensor is None or attribute in transient or _is_counter(tensor):
                continue
            suffix = _suffix(layer, attribute)
            transposed = isinstance(layer, paddle.nn.Linear) and attribute == "weight"
            found[f"{name}.{suffix}" if name else suffix] = Slot(layer, attribute, transposed)
    return found


def has_tensors(layer: Any) -> bool:
    """Whether a layer itself, without the layers inside it, holds parameters or buffers."""
    return any(tensor is not None for tensor in [*layer._parameters.values(), *layer._buffers.values()])


def _suffix(layer: Any, attribute: str) -> str:
    """What torch calls a tensor of a layer."""
    if is_batch_norm(layer):
        return _STATISTICS.get(attribute, attribute)
    if isinstance(layer, paddle.nn.PReLU) and attribute == "_weight":
        return "weight"
    return "weight" if isinstance(layer, _INSTANCE_NORM) and attribute == "scale" else attribute


def _is_counter(tensor: Any) -> bool:
    return "int" in str(tensor.dtype) and int(np.prod(tensor.shape)) <= 1
