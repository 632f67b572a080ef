"""Reading stored weights back: the integers or floats that a layer of a written file is computed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx

from paredown.deploy.canonical.graph import array_of, attributes, constants, producers
from paredown.deploy.writing.storage import PACKED_BITS, unpack

if TYPE_CHECKING:
    from paredown.contracts import Array

_CARRIED_OUT = ("Cast", "Gather", "Reshape", "Slice", "Transpose")


class StoredWeights:
    """The constants of a file, through the operators that unpack them."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._known = constants(graph)
        self._made_by = producers(graph)

    def initializer(self, name: str) -> Array | None:
        """An initializer, of any type that files are written in, unpacked; None where there is none of this name."""
        tensor = self._known.get(name)
        if tensor is None:
            return None
        return unpack(tensor) if tensor.data_type in PACKED_BITS else array_of(tensor)

    def read(self, name: str) -> tuple[Array, Array] | None:
        """What a layer reads under this name: its numbers before dequantizing, and the number that stands for zero.

        Returns:
            (numbers, zero point that broadcasts against them), or None where the tensor is computed from images.
        """
        node = self._dequantizing(name)
        if node is not None:
            values = self._unpacked(self._unpadded(node.input[0]))
            return None if values is None else (values, self._zero_point(node, values))
        numbers = self._unpacked(name)
        return None if numbers is None else (numbers, np.zeros(()))

    def _dequantizing(self, name: str) -> onnx.NodeProto | None:
        """The DequantizeLinear node that a tensor comes from, maybe cut and shaped after it."""
        node = self._made_by.get(name)
        while node is not None and node.op_type in ("Reshape", "Slice"):
            node = self._made_by.get(node.input[0])
        return node if node is not None and node.op_type == "DequantizeLinear" else None

    def _unpadded(self, name: str) -> str:
        """The integers without those that fill up the last group."""
        node = self._made_by.get(name)
        return str(node.input[0]) if node is not None and node.op_type == "Pad" else name

    def _unpacked(self, name: str) -> Array | None:
        """A constant after the operators that widen and shape it."""
        node = self._made_by.get(name)
        if node is None:
            return self.initializer(name)
        if node.op_type not in _CARRIED_OUT:
            return None
        inputs = [values for source in node.input if (values := self._unpacked(source)) is not None]
        if len(inputs) < len(node.input):
            return None
        first, *others = inputs
        if node.op_type == "Gather":
            return first[others[0]]
        if node.op_type == "Reshape":
            return first.reshape(others[0])
        if node.op_type == "Slice":
            return first[int(others[0][0]) : int(others[1][0])]
        return first.transpose(attributes(node)["perm"]) if node.op_type == "Transpose" else first

    def _zero_point(self, node: onnx.NodeProto, values: Array) -> Array:
        """The zero point of a DequantizeLinear node: of the tensor, along its axis (1 by default), or by block."""
        zero_point = self.initializer(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if zero_point is None:
            return np.zeros(())
        options = attributes(node)
        axis = int(options.get("axis", 1))
        if "block_size" in options:
            return np.repeat(zero_point, options["block_size"], axis=axis)[:, : values.shape[axis]]
        if zero_point.ndim == 0:
            return zero_point
        shape = [1] * values.ndim
        shape[axis] = -1
        return zero_point.reshape(shape)
