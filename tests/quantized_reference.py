"""What a plan means, computed node by node in float: the reference for written files.

Weights are replaced by `fake_quantize` of them, activations by `fake_quantize` where the plan has a point; no operator
of quantization is involved.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from paredown.algorithms.quantizing import fake_quantize
from paredown.deploy.canonical.graph import array_of, constants
from paredown.deploy.places import LAYERS, layer_calls, layer_name, places, source_of


def one_node(node, arrays):
    """The outputs of one node, from the runtime, in float."""
    import onnxruntime

    names = [name for name in dict.fromkeys(node.input) if name]
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(arrays[name].dtype), None)
            for name in names
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {name: arrays[name] for name in names})


def simulate(model, plan, images, *, integer_biases=False):
    """The network's outputs for images as the framework simulates the plan; graph points are simulated too.

    With `integer_biases`, biases beside narrow weights are rounded as the runtime rounds them in its integer kernels.
    """
    graph = model.graph
    points = {(point.layer, point.port, point.index): point.tensor for point in plan.points}
    calls = {call.node.output[0]: call for call in layer_calls(graph, plan.left_float)}
    calibrated = plan.mode in ("static", "qat")
    named = places(graph, plan.left_float) if calibrated else {}
    arrays = {name: array_of(tensor) for name, tensor in constants(graph).items()}
    exact = {}

    def keep(name, values):
        exact[name] = values
        own = named.get(name)
        arrays[name] = fake_quantize(values, points[own[0].layer, own[0].port, own[0].index]) if own else values

    keep(graph.input[0].name, images)
    for node in graph.node:
        inputs = {name: arrays[name] for name in node.input if name}
        call = calls.get(node.output[0])
        if call is not None:
            weight = array_of(constants(graph)[call.weight])
            inputs[call.weight] = fake_quantize(weight, points[call.layer, "weight", 0])
            if calibrated and call.bias is not None:
                source = named[source_of(graph, node.input[0])][0]
                tensors = points[call.layer, "weight", 0], points[source.layer, source.port, source.index]
                inputs[call.bias] = stored_bias(arrays[call.bias], *tensors, integer_biases)
            if plan.mode == "dynamic":
                tensor = points[call.layer, "input", call.index]
                inputs[node.input[0]] = fake_quantize(inputs[node.input[0]], tensor)
        elif node.op_type in LAYERS and layer_name(node) in plan.left_float:
            own = named.get(node.input[0], ())
            if all(place.port == "input" for place in own):
                inputs[node.input[0]] = exact[node.input[0]]
        for name, values in zip(node.output, one_node(node, inputs), strict=True):
            keep(name, values)
    return arrays[graph.output[0].name]


def stored_bias(bias, weight, source, integer_biases):
    """A bias in steps of the product's scale; it stays as it is in groups, and beside narrow weights if it may."""
    if weight.group_size is not None or (weight.bits < 8 and not integer_biases):
        return bias
    finer = {8: 1, 4: 8, 2: 64, 1: 64}[weight.bits]
    scale = np.float32(source.scale[0]) * (np.asarray(weight.scale, np.float32) / np.float32(finer))
    return (np.rint(bias / scale.astype(np.float64)).astype(np.int64).astype(np.float32) * scale).astype(np.float32)


def run(model, images, *, optimized=True):
    """The outputs of a file in the runtime, with or without the runtime's optimizer."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {model.graph.input[0].name: images})[0]


def network(kind="residual", width=3, seed=0):
    """A canonical network whose weights fill no whole number of bytes.

    `residual`: convolution, Relu, max pooling, convolution, residual addition, Relu, global pooling, Gemm. `depthwise`:
    convolution, Clip to [0, 6], depthwise convolution, Clip, convolution to channels (linear), flattening, Gemm.
    """
    from paredown.deploy.canonical.wrap import finish

    rng = np.random.default_rng(seed)
    pad = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}

    def layer(name, *shape):
        return {
            f"{name}.weight": rng.normal(0, 0.4, shape).astype(np.float32),
            f"{name}.bias": rng.normal(0, 0.3, shape[0]).astype(np.float32),
        }

    if kind == "residual":
        arrays = layer("a", width, 2, 3, 3) | layer("b", width, width, 3, 3) | layer("fc", 5, width)
        nodes = [
            helper.make_node("Conv", ["images", "a.weight", "a.bias"], ["t0"], **pad),
            helper.make_node("Relu", ["t0"], ["t1"]),
            helper.make_node("MaxPool", ["t1"], ["t2"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Conv", ["t2", "b.weight", "b.bias"], ["t3"], **pad),
            helper.make_node("Add", ["t3", "t2"], ["t4"]),
            helper.make_node("Relu", ["t4"], ["t5"]),
            helper.make_node("GlobalAveragePool", ["t5"], ["t6"]),
            helper.make_node("Flatten", ["t6"], ["t7"]),
            helper.make_node("Gemm", ["t7", "fc.weight", "fc.bias"], ["outputs"], transB=1),
        ]
    else:
        arrays = layer("a", width, 2, 3, 3) | layer("d", width, 1, 3, 3) | layer("b", 4, width, 1, 1)
        arrays |= layer("fc", 5, 4 * 36) | {"low": np.float32(0), "high": np.float32(6)}
        nodes = [
            helper.make_node("Conv", ["images", "a.weight", "a.bias"], ["t0"], **pad),
            helper.make_node("Clip", ["t0", "low", "high"], ["t1"]),
            helper.make_node("Conv", ["t1", "d.weight", "d.bias"], ["t2"], group=width, **pad),
            helper.make_node("Clip", ["t2", "low", "high"], ["t3"]),
            helper.make_node("Conv", ["t3", "b.weight", "b.bias"], ["t4"], kernel_shape=[1, 1]),
            helper.make_node("Flatten", ["t4"], ["t5"]),
            helper.make_node("Gemm", ["t5", "fc.weight", "fc.bias"], ["outputs"], transB=1),
        ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 2, 6, 6])],
        [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["batch", 5])],
        [onnx.numpy_helper.from_array(np.asarray(values), name) for name, values in arrays.items()],
    )
    return finish(graph)
