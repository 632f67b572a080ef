"""Equal networks of two exporters become equal files."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from paredown.deploy.canonical import canonicalize
from paredown.deploy.files import to_bytes
from paredown.errors import UnsupportedError


def test_two_exports_of_one_network_become_one_file(twins):
    torch_export, paddle_export, names = twins
    assert to_bytes(canonicalize(torch_export, {})) == to_bytes(canonicalize(paddle_export, names))


def test_the_canonical_file_computes_what_the_export_computes(twins, images, evaluate):
    torch_export, paddle_export, names = twins
    expected = evaluate(torch_export, images)
    np.testing.assert_allclose(evaluate(canonicalize(torch_export, {}), images), expected, atol=1e-5)
    np.testing.assert_allclose(evaluate(canonicalize(paddle_export, names), images), expected, atol=1e-5)


def test_the_canonical_file_is_a_fixed_point(canonical):
    assert to_bytes(canonicalize(canonical, {})) == to_bytes(canonical)


def test_the_export_is_left_as_it_was(twins):
    before = twins[0].SerializeToString(deterministic=True)
    canonicalize(twins[0], {})
    assert twins[0].SerializeToString(deterministic=True) == before


def test_weights_keep_their_values_and_get_neutral_names(canonical, state):
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in canonical.graph.initializer}
    assert set(held) == set(state)
    for name, values in state.items():
        np.testing.assert_array_equal(held[name], values)


def test_the_model_is_valid_and_carries_nothing_of_the_exporter(canonical):
    onnx.checker.check_model(canonical, full_check=True)
    assert [entry.version for entry in canonical.opset_import] == [21]
    assert (canonical.ir_version, canonical.producer_name) == (10, "paredown")
    assert not canonical.graph.value_info
    assert [canonical.graph.input[0].name, canonical.graph.output[0].name] == ["images", "outputs"]
    assert not any(node.name or node.doc_string or node.metadata_props for node in canonical.graph.node)


def test_tensor_names_do_not_depend_on_the_weights(canonical, state, twins):
    from onnx import numpy_helper

    other = onnx.ModelProto()
    other.CopyFrom(twins[0])
    for tensor in other.graph.initializer:
        if tensor.name in state:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(2), tensor.name))
    assert list(canonicalize(other, {}).graph.node) == list(canonical.graph.node)


def test_layers_with_equal_weights_stay_two_layers(build):
    kernel = np.ones((2, 2, 1, 1), np.float32)
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("Relu", ["h"], ["r"]), ("Conv", ["r", "b.weight"], ["y"])]
    model = build(nodes, {"a.weight": kernel, "b.weight": kernel}, output=("N", 2, 6, 6))
    assert [tensor.name for tensor in canonicalize(model, {}).graph.initializer] == ["a.weight", "b.weight"]


def test_parallel_layers_with_equal_weights_stay_two_layers(build):
    kernel = np.ones((2, 2, 1, 1), np.float32)
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("Conv", ["x", "b.weight"], ["r"]), ("Add", ["h", "r"], ["y"])]
    model = build(nodes, {"a.weight": kernel, "b.weight": kernel}, output=("N", 2, 6, 6))
    assert {tensor.name for tensor in canonicalize(model, {}).graph.initializer} == {"a.weight", "b.weight"}


def test_a_batch_norm_that_was_not_folded_keeps_its_layers_names(build):
    norm = {f"bn.{name}": np.full(2, 1.5, np.float32) for name in ("weight", "bias", "mean", "var")}
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("BatchNormalization", ["h", *norm], ["y"])]
    constants = {"a.weight": np.ones((2, 2, 1, 1), np.float32), **norm}
    model = canonicalize(build(nodes, constants, output=("N", 2, 6, 6)), {})
    assert {tensor.name for tensor in model.graph.initializer} == {"a.weight", *norm}


def test_a_foreign_operator_is_refused_by_name(build):
    model = build([("Relu", ["x"], ["y"])], output=("N", 2, 6, 6))
    model.graph.node[0].domain = "com.example"
    with pytest.raises(UnsupportedError, match="standard ONNX") as caught:
        canonicalize(model, {})
    assert caught.value.problems[0].value == "com.example.Relu"
