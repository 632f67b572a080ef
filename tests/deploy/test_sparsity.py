"""Zeros in a file, and the size of the file compressed."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from paredown.deploy.canonical.graph import array_of, constants
from paredown.deploy.sparsity import compressed_bytes, sparsity
from paredown.errors import ArtifactError

WEIGHTS = ("conv1.weight", "conv2.weight", "fc.weight")


def set_constant(model, name, values):
    constants(model.graph)[name].CopyFrom(numpy_helper.from_array(values, name))


def test_a_dense_network_has_no_zeros(canonical):
    assert sparsity(canonical) == 0


def test_zeros_of_weights_count_and_those_of_biases_do_not(canonical, state):
    for name in WEIGHTS:
        values = state[name].copy()
        values.flat[::2] = 0
        set_constant(canonical, name, values)
    set_constant(canonical, "conv1.bias", np.zeros_like(state["conv1.bias"]))
    assert sparsity(canonical) == 0.5


def test_an_integer_is_zero_where_it_equals_the_zero_point(quantized):
    model = quantized[1]
    integers = {
        name: array_of(tensor) for name, tensor in constants(model.graph).items() if array_of(tensor).dtype == np.int8
    }
    weights = [values for values in integers.values() if values.ndim > 1]
    assert len(weights) == len(WEIGHTS)
    expected = sum(np.count_nonzero(values == 0) for values in weights) / sum(values.size for values in weights)
    assert sparsity(model) == expected


def test_zero_points_may_differ_along_an_axis(build):
    integers = np.array([[1, 1, 5], [2, 5, 5]], np.int8)
    model = build(
        [
            ("DequantizeLinear", ["w", "scale", "zero"], ["weight"], {"axis": 0}),
            ("MatMul", ["x", "weight"], ["y"]),
        ],
        {"w": integers, "scale": np.ones(2, np.float32), "zero": np.array([1, 5], np.int8)},
        shape=("N", 2),
    )
    assert sparsity(model) == pytest.approx(4 / 6)


def test_a_weight_that_is_read_twice_counts_once(build):
    nodes = [
        ("MatMul", ["x", "shared"], ["a"]),
        ("MatMul", ["a", "shared"], ["b"]),
        ("MatMul", ["b", "last"], ["y"]),
    ]
    constants = {"shared": np.zeros((2, 2), np.float32), "last": np.ones((2, 2), np.float32)}
    assert sparsity(build(nodes, constants, shape=("N", 2), output=("N", 2))) == 0.5


def test_a_network_without_weights_has_no_zeros(build):
    assert sparsity(build([("Relu", ["x"], ["y"])], shape=("N", 3))) == 0


def test_zeros_shrink_the_compressed_file(tmp_path):
    dense = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    sizes = []
    for name, values in (("dense", dense), ("sparse", np.where(np.arange(10_000) % 10, 0, dense))):
        path = tmp_path / name
        path.write_bytes(values.astype(np.float32).tobytes())
        sizes.append(compressed_bytes(path))
    assert sizes[1] < 0.2 * sizes[0]


def test_a_missing_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(ArtifactError, match="cannot be read"):
        compressed_bytes(tmp_path / "nothing.onnx")
