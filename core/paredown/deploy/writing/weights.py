"""Quantized weights in the file: stored in their width, widened to bytes, dequantized where a layer reads floats.

What widens them depends on constants alone: the runtime does it once, when it loads the file, and then has 8-bit
constants for its integer kernels. Dequantizing 4-bit or 2-bit integers directly it computes again in every run, in
float, and with 2-bit ones in a fused convolution refuses the file (ONNX Runtime 1.31).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from paredown.algorithms.quantizing import quantize
from paredown.deploy.writing.graph_file import GraphFile
from paredown.deploy.writing.storage import (
    INT2,
    TernaryStorage,
    byte_table,
    number_table,
    pack,
    packed_tensor,
)
from paredown.plan import QuantizedTensor

if TYPE_CHECKING:
    from paredown.contracts import Array, FloatArray, IntArray

FINER = {4: 8, 2: 64, 1: 64}
"""What narrow weights are multiplied by on the way to 8 bits, and their scales divided by.

A power of two: no product changes. It makes the units of the product finer, in which the runtime rounds biases. The
greatest result, 64 (or 120 unsigned), saturates no kernel.
"""

MOVED = 128
"""What signed integers are raised by to be unsigned."""


class WeightWriter:
    """Writes the weights of a network, each once.

    Args:
        file: The network that is written.
        ternary: How ternary weights are stored; see `write_quantized`.
        finer: Multiply narrow weights as `FINER` says, where they are not in groups.
    """

    def __init__(self, file: GraphFile, ternary: TernaryStorage, *, finer: bool = False) -> None:
        self._file = file
        self._ternary = ternary
        self._finer = finer

    def factor(self, tensor: QuantizedTensor) -> int:
        """What the stored integers are multiplied by when they are widened."""
        return FINER.get(tensor.bits, 1) if self._finer and tensor.group_size is None else 1

    def dequantized(self, name: str, tensor: QuantizedTensor, *, zero_point: bool = False) -> str:
        """The name of the float weight that layers read.

        Args:
            name: The initializer in the canonical network.
            tensor: How it is quantized.
            zero_point: Write a zero point even where it is zero.
        """
        output = f"{name}_d"
        if name in self._file:
            return output
        shape = self._file.array(name).shape
        integers = self.integers(name, tensor)
        factor = self.factor(tensor)
        inputs = [integers, self._file.constant(scale_name(name), scales(tensor, shape) / np.float32(factor))]
        if zero_point or any(tensor.zero_point):
            points = zero_points(tensor, shape)
            inputs.append(self._file.constant(f"{name}_z", points * points.dtype.type(factor)))
        if tensor.group_size is None:
            # 1 is the axis that the standard assumes.
            axis = {} if tensor.axis is None or tensor.axis == 1 else {"axis": tensor.axis}
            return self._file.append("DequantizeLinear", inputs, output, **axis)
        return self._in_groups(name, inputs, shape, min(tensor.group_size, _length(shape)))

    def integers(self, name: str, tensor: QuantizedTensor, *, moved: bool = False) -> str:
        """The name of the integers as int8 or uint8, in the weight's shape; for groups [out, numbers of each].

        Args:
            name: The initializer in the canonical network.
            tensor: How it is quantized.
            moved: Signed integers are given as uint8, `MOVED` above what they stand for.
        """
        values = quantize(self._file.array(name), tensor)
        if tensor.group_size is not None:
            values = values.reshape(len(values), -1)
        widened = name if tensor.bits == 8 else f"{name}_i"
        if name in self._file:
            return widened
        if tensor.bits == 8:
            return self._file.constant(name, _widest(values, 1, moved))
        factor = self.factor(tensor)
        if tensor.bits == 4:
            stored = TensorProto.UINT4 if tensor.qmin >= 0 else TensorProto.INT4
            return self._widened(name, values, stored, factor, moved)
        if tensor.bits == 2 and self._ternary == "int2":
            return self._widened(name, values, INT2, factor, moved)
        return self._looked_up(name, values, tensor.bits, factor, moved)

    def _in_groups(self, name: str, inputs: list[str], shape: tuple[int, ...], block: int) -> str:
        """Dequantized by blocks of so many; OpenVINO takes whole ones only, so that the last is filled up for it."""
        length = _length(shape)
        missing = -length % block
        if missing:
            pads = self._shape(name, (0, 0, 0, missing), "o")
            inputs = [self._file.append("Pad", [inputs[0], pads], f"{name}_p"), *inputs[1:]]
        found = self._file.append("DequantizeLinear", inputs, f"{name}_b", axis=1, block_size=block)
        if missing:
            bounds = [self._shape(name, (at,), suffix) for at, suffix in ((0, "v"), (length, "w"), (1, "x"))]
            found = self._file.append("Slice", [found, *bounds], f"{name}_c")
        return self._file.append("Reshape", [found, self._shape(name, shape)], f"{name}_d")

    def _widened(self, name: str, values: IntArray, stored: int, factor: int, moved: bool) -> str:
        """Integers of 4 or 2 bits; a table says what they become where a cast does not do."""
        self._file.tensor(packed_tensor(name, values, stored))
        unsigned = stored == TensorProto.UINT4
        if factor == 1 and not moved:
            to = TensorProto.UINT8 if unsigned else TensorProto.INT8
            return self._file.append("Cast", [name], f"{name}_i", to=to)
        table = f"numbers{2 if stored == INT2 else 4}{'_unsigned' if unsigned else ''}"
        if table not in self._file:
            self._file.constant(table, _widest(number_table(stored), factor, moved))
        # Negative indices count from the end, as the table does.
        self._file.append("Cast", [name], f"{name}_n", to=TensorProto.INT32)
        return self._file.append("Gather", [table, f"{name}_n"], f"{name}_i")

    def _looked_up(self, name: str, values: IntArray, bits: int, factor: int, moved: bool) -> str:
        """Bytes that hold several integers each; a table says which."""
        data: Array = np.frombuffer(pack(values, bits), dtype=np.uint8)
        self._file.constant(name, data)
        known = f"bytes{bits}{'_finer' if factor > 1 else '_moved' if moved else ''}"
        if known not in self._file:
            self._file.constant(known, _widest(byte_table(bits), factor, moved))
        # Gather takes no unsigned indices of 8 bits.
        self._file.append("Cast", [name], f"{name}_n", to=TensorProto.INT32)
        found = self._file.append("Gather", [known, f"{name}_n"], f"{name}_t")
        if values.size % (8 // bits):
            flat = self._file.append("Reshape", [found, self._shape(name, (-1,), "m")], f"{name}_f")
            bounds = [self._shape(name, (at,), suffix) for at, suffix in ((0, "k"), (values.size, "l"))]
            found = self._file.append("Slice", [flat, *bounds], f"{name}_u")
        return self._file.append("Reshape", [found, self._shape(name, values.shape, "g")], f"{name}_i")

    def _shape(self, name: str, shape: tuple[int, ...], suffix: str = "h") -> str:
        return self._file.constant(f"{name}_{suffix}", np.asarray(shape, dtype=np.int64))


def _widest(integers: IntArray, factor: int, moved: bool) -> IntArray:
    """What integers become in 8 bits."""
    if moved and integers.dtype == np.int8:
        return (integers.astype(np.int16) + MOVED).astype(np.uint8)
    widened: IntArray = integers * integers.dtype.type(factor)
    return widened


def scale_name(weight: str) -> str:
    """The name of the scales of a weight."""
    return f"{weight}_s"


def scales(tensor: QuantizedTensor, shape: tuple[int, ...]) -> FloatArray:
    """The scales as float32: a scalar, one number a channel, or [out, groups of each]."""
    return _shaped(np.asarray(tensor.scale, dtype=np.float32), tensor, shape)


def zero_points(tensor: QuantizedTensor, shape: tuple[int, ...]) -> IntArray:
    """The zero points as uint8 where the integers are unsigned, else int8, in the shape of the scales."""
    dtype = np.uint8 if tensor.qmin >= 0 else np.int8
    return _shaped(np.asarray(tensor.zero_point).astype(dtype), tensor, shape)


def _shaped(numbers: Array, tensor: QuantizedTensor, shape: tuple[int, ...]) -> Array:
    if tensor.axis is None:
        return numbers.reshape(())
    return numbers if tensor.group_size is None else numbers.reshape(shape[0], -1)


def _length(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[1:], dtype=np.int64))
