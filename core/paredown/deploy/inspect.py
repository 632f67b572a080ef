"""What is in a deployed file: parameters, bytes of weights, multiplications."""

from __future__ import annotations

from math import prod

import onnx

from paredown.deploy.canonical.graph import attributes, constants, static_shapes

QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
BITS = {
    onnx.TensorProto.FLOAT: 32,
    onnx.TensorProto.INT32: 32,
    onnx.TensorProto.FLOAT16: 16,
    onnx.TensorProto.INT8: 8,
    onnx.TensorProto.UINT8: 8,
    onnx.TensorProto.INT64: 64,
    onnx.TensorProto.DOUBLE: 64,
}


def weight_bytes(model: onnx.ModelProto) -> int:
    """Bytes of all initializers: weights, biases, scales and zero points."""
    return sum(_bytes(tensor) for tensor in model.graph.initializer)


def parameters(model: onnx.ModelProto) -> int:
    """Numbers in the weights and biases of layers; scales and zero points do not count."""
    known = constants(model.graph)
    dequantized = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    held = {
        dequantized.get(name, name)
        for node in model.graph.node
        if node.op_type not in QUANTIZERS
        for name in node.input
    }
    return sum(prod(known[name].dims) for name in held if name in known and known[name].dims)


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


def _bytes(tensor: onnx.TensorProto) -> int:
    return int(prod(tensor.dims)) * BITS[tensor.data_type] // 8
