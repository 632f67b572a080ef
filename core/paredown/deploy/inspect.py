"""What is in a deployed file: parameters, bytes of weights, multiplications."""

from __future__ import annotations

from math import prod

import onnx

from paredown.deploy.canonical.graph import attributes, static_shapes
from paredown.deploy.writing.reading import StoredWeights
from paredown.deploy.writing.storage import INT2, UINT2
from paredown.deploy.writing.weights import scale_name
from paredown.errors import UnsupportedError

UNPACKING = ("QuantizeLinear", "DequantizeLinear", "Cast", "Gather", "Pad", "Reshape", "Slice", "Transpose")
"""Operators that stand between what is stored and what a layer reads."""
BITS = {
    onnx.TensorProto.FLOAT: 32,
    onnx.TensorProto.INT32: 32,
    onnx.TensorProto.FLOAT16: 16,
    onnx.TensorProto.INT16: 16,
    onnx.TensorProto.UINT16: 16,
    onnx.TensorProto.INT8: 8,
    onnx.TensorProto.UINT8: 8,
    onnx.TensorProto.BOOL: 8,
    onnx.TensorProto.INT4: 4,
    onnx.TensorProto.UINT4: 4,
    INT2: 2,
    UINT2: 2,
    onnx.TensorProto.INT64: 64,
    onnx.TensorProto.DOUBLE: 64,
}


def weight_bytes(model: onnx.ModelProto) -> int:
    """Bytes of all initializers, packed as they are stored: weights, biases, scales, zero points and tables.

    Raises:
        UnsupportedError: An initializer has a type that no file of ours has.
    """
    return sum(_bytes(tensor) for tensor in model.graph.initializer)


def parameters(model: onnx.ModelProto) -> int:
    """Numbers in the weights and biases of layers, however they are packed; scales and zero points do not count."""
    stored = StoredWeights(model.graph)
    held = {
        name: None
        for node in model.graph.node
        if node.op_type not in UNPACKING
        for position, name in enumerate(node.input)
        if not _is_parameter_of_arithmetic(node, position, name)
    }
    found = [stored.read(name) for name in held if name]
    return sum(numbers.size for numbers, _ in (one for one in found if one is not None) if numbers.ndim)


def macs(model: onnx.ModelProto) -> int:
    """Multiply-accumulate operations of one image in Conv and Gemm nodes; biases and all other nodes count as none."""
    shapes = static_shapes(model)
    total = 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            per_output = prod(length or 1 for length in shapes[node.input[1]][1:])
            total += per_output * prod(length or 1 for length in shapes[node.output[0]][1:])
        elif node.op_type == "Gemm":
            rows = shapes[node.input[1]]
            inner = rows[1] if attributes(node).get("transB", 0) else rows[0]
            total += (inner or 1) * prod(length or 1 for length in shapes[node.output[0]][1:])
    return total


def _is_parameter_of_arithmetic(node: onnx.NodeProto, position: int, name: str) -> bool:
    """Zero points of integer layers, and the weights' scales that their results are multiplied by."""
    if node.op_type in ("ConvInteger", "MatMulInteger"):
        return position > 1
    return node.op_type == "Mul" and name.endswith(scale_name(".weight"))


def _bytes(tensor: onnx.TensorProto) -> int:
    if tensor.data_type not in BITS:
        raise UnsupportedError(
            "the size of this type of numbers is not known",
            where=tensor.name,
            value=tensor.data_type,
            expected=", ".join(onnx.TensorProto.DataType.Name(known) for known in BITS if known not in (INT2, UINT2)),
            remedy="write the network with `write_quantized`",
        )
    return -(-int(prod(tensor.dims)) * BITS[tensor.data_type] // 8)
