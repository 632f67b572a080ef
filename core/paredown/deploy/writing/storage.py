"""Integers narrower than a byte, as initializers: packed by ONNX's own types, or into bytes with a table to look up."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from paredown.contracts import Array, IntArray

TernaryStorage = Literal["int2", "packed"]

UINT2, INT2 = 25, 26
"""TensorProto.DataType of ONNX 1.20; the `onnx` package that exporters permit does not know them."""
OPSET_OF_INT2 = 25
"""The first operator set whose operators take 2-bit integers."""
PACKED_BITS = {TensorProto.INT4: 4, TensorProto.UINT4: 4, INT2: 2, UINT2: 2}
SIGNED = (TensorProto.INT4, INT2)


def pack(integers: IntArray, bits: int) -> bytes:
    """Integers in C order as two's complement of 4, 2 or 1 bits, the first in the lowest bits of the first byte.

    The last byte is filled up with zeros. Of one bit, what is above zero is 1.
    """
    flat = integers.reshape(-1)
    codes = (flat > 0).astype(np.uint8) if bits == 1 else (flat.astype(np.int16) & (2**bits - 1)).astype(np.uint8)
    per_byte = 8 // bits
    rows = np.pad(codes, (0, -len(codes) % per_byte)).reshape(-1, per_byte)
    shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(bits)
    packed: Array = np.bitwise_or.reduce(rows << shifts, axis=1).astype(np.uint8)
    return packed.tobytes()


def unpack(tensor: onnx.TensorProto) -> IntArray:
    """The integers of an initializer of a type of 4 or 2 bits, int8 or uint8, in its shape."""
    bits = PACKED_BITS[tensor.data_type]
    shifts = np.arange(8 // bits, dtype=np.uint8) * np.uint8(bits)
    codes = (np.frombuffer(tensor.raw_data, np.uint8)[:, None] >> shifts) & np.uint8(2**bits - 1)
    flat = codes.reshape(-1)[: int(np.prod(tensor.dims, dtype=np.int64))].astype(np.int16)
    if tensor.data_type in SIGNED:
        flat = np.where(flat >= 2 ** (bits - 1), flat - 2**bits, flat)
    integers: IntArray = flat.astype(np.int8 if tensor.data_type in SIGNED else np.uint8).reshape(tensor.dims)
    return integers


def packed_tensor(name: str, integers: IntArray, data_type: int) -> onnx.TensorProto:
    """An initializer of a type of 4 or 2 bits."""
    tensor = TensorProto(name=name, data_type=data_type, raw_data=pack(integers, PACKED_BITS[data_type]))
    tensor.dims.extend(integers.shape)
    return tensor


def byte_table(bits: int) -> IntArray:
    """int8, [256, integers a byte]: what each byte that `pack` made stands for; of one bit, 0 stands for -1."""
    shifts = np.arange(8 // bits) * bits
    codes = (np.arange(256)[:, None] >> shifts) & (2**bits - 1)
    numbers = codes * 2 - 1 if bits == 1 else np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes)
    table: IntArray = numbers.astype(np.int8)
    return table


def number_table(data_type: int) -> IntArray:
    """Int8 or uint8: the number at each index that an integer of this type may be; negative ones count from the end."""
    count = 2 ** PACKED_BITS[data_type]
    numbers = np.arange(count)
    if data_type in SIGNED:
        return np.where(numbers >= count // 2, numbers - count, numbers).astype(np.int8)
    return numbers.astype(np.uint8)


@lru_cache(maxsize=1)
def runtime_takes_int2() -> bool:
    """Whether the installed ONNX Runtime reads 2-bit integers rightly: a network of one cast is run."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as failures

    expected = np.array([-1, 0, 1, 1, 0], dtype=np.int8)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["stored"], ["cast"], to=TensorProto.INT8),
            helper.make_node("Add", ["a", "cast"], ["y"]),
        ],
        "int2",
        [helper.make_tensor_value_info("a", TensorProto.INT8, [5])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, [5])],
        [packed_tensor("stored", expected, INT2)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET_OF_INT2)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(None, {"a": np.zeros(5, dtype=np.int8)})[0]
    except (failures.Fail, failures.InvalidGraph, failures.InvalidProtobuf, failures.NotImplemented):
        return False
    return bool(np.array_equal(found, expected))
