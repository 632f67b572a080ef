"""Tiny networks, written by hand as the two exporters write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown.deploy.canonical.opset import OPSET


def build(nodes, constants=None, *, shape=("N", 2, 6, 6), output=("N", 3), opset=OPSET, x="x", y="y"):
    """A model from (operator, inputs, outputs, attributes) tuples and arrays by name."""
    made = [helper.make_node(op, list(i), list(o), **(a[0] if a else {})) for op, i, o, *a in nodes]
    tensors = [numpy_helper.from_array(np.asarray(values), name) for name, values in (constants or {}).items()]
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, output)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def weights(width=4):
    """The weights of the twin networks, in neutral names."""
    rng = np.random.default_rng(0)
    shapes = {
        "conv1.weight": (width, 2, 3, 3),
        "conv1.bias": (width,),
        "conv2.weight": (width, width, 3, 3),
        "conv2.bias": (width,),
        "fc.weight": (3, width),
        "fc.bias": (3,),
    }
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def torch_style(state):
    """conv, relu, max pooling, conv, residual add, relu, global pooling, fc: as torch's exporter spells it."""
    padded = {"pads": [1, 1, 1, 1], "dilations": [1, 1], "group": 1, "auto_pad": "NOTSET", "strides": [1, 1]}
    nodes = [
        ("Conv", ["x", "conv1.weight", "conv1.bias"], ["conv2d"], {**padded, "kernel_shape": [3, 3]}),
        ("Relu", ["conv2d"], ["relu"]),
        ("MaxPool", ["relu"], ["pool"], {"kernel_shape": [2, 2], "strides": [2, 2], "storage_order": 0}),
        ("Conv", ["pool", "conv2.weight", "conv2.bias"], ["conv2d_1"], {**padded, "kernel_shape": [3, 3]}),
        ("Add", ["conv2d_1", "pool"], ["add"]),
        ("Relu", ["add"], ["relu_1"]),
        ("ReduceMean", ["relu_1", "axes"], ["mean"], {"keepdims": 1, "noop_with_empty_axes": 0}),
        ("Reshape", ["mean", "shape"], ["view"], {"allowzero": 1}),
        ("Gemm", ["view", "fc.weight", "fc.bias"], ["y"], {"transB": 1, "alpha": 1.0, "beta": 1.0}),
    ]
    constants = {**state, "axes": np.array([-1, -2]), "shape": np.array([-1, len(state["conv1.bias"])])}
    return build(nodes, constants, opset=20)


def paddle_style(state):
    """The same network as paddle2onnx spells it, with the names of its initializers."""
    names = {"conv2d_0.w_0": "conv1.weight", "conv2d_1.w_0": "conv2.weight", "linear_0.w_0": "fc.weight"}
    renamed = {name: state[neutral] for name, neutral in names.items()}
    renamed |= {
        "linear_0.w_0": np.ascontiguousarray(state["fc.weight"].T),
        "b1": state["conv1.bias"].reshape(1, -1, 1, 1),
        "b2": state["conv2.bias"].reshape(1, -1, 1, 1),
        "linear_0.b_0": state["fc.bias"],
    }
    window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        ("Conv", ["x", "conv2d_0.w_0"], ["c0"], window),
        ("Add", ["c0", "b1"], ["a0"]),
        ("Relu", ["a0"], ["r0"]),
        ("MaxPool", ["r0"], ["p0"], {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 0, 0]}),
        ("Conv", ["p0", "conv2d_1.w_0"], ["c1"], window),
        ("Add", ["c1", "b2"], ["a1"]),
        ("Add", ["p0", "a1"], ["s0"]),
        ("Relu", ["s0"], ["r1"]),
        ("GlobalAveragePool", ["r1"], ["g0"]),
        ("Flatten", ["g0"], ["f0"], {"axis": 1}),
        ("MatMul", ["f0", "linear_0.w_0"], ["m0"]),
        ("Add", ["m0", "linear_0.b_0"], ["y"]),
    ]
    return build(nodes, renamed, opset=19), names | {"linear_0.b_0": "fc.bias"}


@pytest.fixture(name="build")
def build_fixture():
    return build


@pytest.fixture
def state():
    return weights()


@pytest.fixture
def twins(state):
    """(torch's export, paddle's export, paddle's names) of one network."""
    return torch_style(state), *paddle_style(state)


@pytest.fixture
def canonical(twins):
    from paredown.deploy.canonical import canonicalize

    return canonicalize(twins[0], {})


@pytest.fixture
def images():
    return np.random.default_rng(1).normal(size=(16, 2, 6, 6)).astype(np.float32)


@pytest.fixture
def runtime():
    from paredown_onnxruntime.config import OnnxRuntimeConfig
    from paredown_onnxruntime.runtime import OnnxRuntime

    return OnnxRuntime(OnnxRuntimeConfig())


@pytest.fixture
def step():
    from paredown.spec.components import MinMaxObserver
    from paredown.spec.models import QuantizeActivations, QuantizeStep

    return QuantizeStep(activations=QuantizeActivations(observer=MinMaxObserver()))


@pytest.fixture
def evaluate(tmp_path: Path, runtime):
    """Runs a model, as it is saved to a file, on images."""

    def run(model, images):
        from paredown.deploy.files import to_bytes

        path = tmp_path / "model.onnx"
        path.write_bytes(to_bytes(model))
        return runtime.load(path, threads=1).run(images)

    return run


@pytest.fixture
def quantized(canonical, images, step):
    """(the plan, the integer network) of the canonical twin."""
    from paredown.algorithms.observers.extremes import MinMax
    from paredown.deploy.calibrate import calibrate
    from paredown.deploy.points import make_plan
    from paredown.deploy.writing.qdq import write_qdq

    ranges = calibrate(canonical, [images], lambda: MinMax(None))
    plan = make_plan(canonical, ranges, step, "portable")
    return plan, write_qdq(canonical, plan)
