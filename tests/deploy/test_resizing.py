"""Resize: one spelling, the pixels of the export, followed by coupled channels, and quantized as what it is given."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from paredown.algorithms.observers.extremes import MinMax
from paredown.deploy.calibrate import calibrate
from paredown.deploy.canonical import canonicalize
from paredown.deploy.coupling import find_groups
from paredown.deploy.files import to_bytes
from paredown.deploy.places import quantized_tensors
from paredown.deploy.points import make_plan
from paredown.deploy.writing.qdq import write_qdq

NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
LINEAR = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
PADDED = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}


def weights():
    generator = np.random.default_rng(0)
    shapes = {"down.weight": (8, 2, 3, 3), "inner.weight": (8, 8, 3, 3), "head.weight": (3, 16, 1, 1)}
    return {name: generator.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def skip_network(build, resize, constants, *, size, sizes=()):
    """A convolution, pooling, a convolution on the way that is enlarged again, and what was skipped beside it."""
    nodes = [
        ("Conv", ["x", "down.weight"], ["c0"], PADDED),
        ("Relu", ["c0"], ["skip"]),
        ("MaxPool", ["skip"], ["pool"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Conv", ["pool", "inner.weight"], ["c1"], PADDED),
        ("Relu", ["c1"], ["low"]),
        *sizes,
        resize,
        ("Concat", ["large", "skip"], ["joined"], {"axis": 1}),
        ("Conv", ["joined", "head.weight"], ["y"], {"kernel_shape": [1, 1]}),
    ]
    return build(nodes, {**weights(), **constants}, shape=("N", 2, *size), output=("N", 3, *size), opset=19)


def by_torch(build, options, size):
    """The size is the batch and the channels of what is resized, then two constants."""
    sizes = [("Shape", ["low"], ["s"], {"end": 2}), ("Concat", ["s", "hw"], ["sizes"], {"axis": 0})]
    resize = ("Resize", ["low", "", "", "sizes"], ["large"], {**options, "cubic_coeff_a": -0.75, "antialias": 0})
    return skip_network(build, resize, {"hw": np.array(size)}, size=size, sizes=sizes)


def by_paddle(build, options, size):
    """The same through a slice of the whole shape, with inputs that are empty in place of left out."""
    sizes = [
        ("Shape", ["low"], ["s"]),
        ("Slice", ["s", "from", "to", "from"], ["nc"]),
        ("Concat", ["nc", "hw"], ["sizes"], {"axis": 0}),
    ]
    empty = np.zeros(0, np.float32)
    constants = {"hw": np.array(size), "from": np.array([0]), "to": np.array([2]), "roi": empty, "scales": empty}
    return skip_network(
        build, ("Resize", ["low", "roi", "scales", "sizes"], ["large"], options), constants, size=size, sizes=sizes
    )


def images(size):
    return np.random.default_rng(1).normal(size=(8, 2, *size)).astype(np.float32)


@pytest.mark.parametrize("options", [NEAREST, LINEAR], ids=["nearest", "linear"])
@pytest.mark.parametrize("size", [(6, 8), (7, 6)], ids=["doubled", "by no binary fraction"])
def test_sizes_that_are_computed_become_constants_and_two_exports_one_file(build, evaluate, options, size):
    torch, paddle = by_torch(build, options, size), by_paddle(build, options, size)
    canonical = canonicalize(torch, {})
    assert to_bytes(canonical) == to_bytes(canonicalize(paddle, {}))
    assert to_bytes(canonicalize(canonical, {})) == to_bytes(canonical)
    np.testing.assert_allclose(evaluate(canonical, images(size)), evaluate(torch, images(size)), atol=1e-6)
    operators = [node.op_type for node in canonical.graph.node]
    assert operators.count("Shape") == (0 if size == (6, 8) else 1)
    assert "Slice" not in operators


def test_factors_and_sizes_that_say_the_same_are_one_file(build):
    factors = {"f": np.array([1, 1, 2, 2], np.float32)}
    doubled = skip_network(build, ("Resize", ["low", "", "f"], ["large"], NEAREST), factors, size=(6, 8))
    assert to_bytes(canonicalize(doubled, {})) == to_bytes(canonicalize(by_torch(build, NEAREST, (6, 8)), {}))


def test_what_torch_calls_half_pixels_is_one_word_where_more_than_one_is_made(build):
    torch = LINEAR | {"coordinate_transformation_mode": "pytorch_half_pixel", "nearest_mode": "floor"}
    assert to_bytes(canonicalize(by_torch(build, torch, (6, 8)), {})) == to_bytes(
        canonicalize(by_torch(build, LINEAR, (6, 8)), {})
    )


@pytest.mark.parametrize("size", [(6, 8), (7, 6)], ids=["doubled", "by no binary fraction"])
def test_channels_are_followed_through_resizing_and_beside_what_was_skipped(build, size):
    found = find_groups(canonicalize(by_torch(build, NEAREST, size), {}), weights(), ())
    assert {group.name: group.size for group in found.groups} == {"down.weight": 8, "inner.weight": 8}
    assert found.left_whole == {"head": "its outputs are the network's"}
    read = {
        group.name: next(one.channels for one in group.members if one.parameter == "head.weight")
        for group in found.groups
    }
    assert read == {"inner.weight": (*range(8), *[-1] * 8), "down.weight": (*[-1] * 8, *range(8))}


@pytest.mark.parametrize("options", [NEAREST, LINEAR], ids=["nearest", "linear"])
@pytest.mark.parametrize("size", [(6, 8), (7, 6)], ids=["doubled", "by no binary fraction"])
def test_the_integer_network_runs_and_nearest_pixels_keep_their_scale(build, evaluate, step, options, size):
    canonical = canonicalize(by_torch(build, options, size), {})
    resize = next(node for node in canonical.graph.node if node.op_type == "Resize")
    named = quantized_tensors(canonical.graph)
    assert (resize.input[0] in named) == (options is NEAREST)
    assert (resize.output[0] in named) == (options is LINEAR)
    assert all(node.output[0] not in named for node in canonical.graph.node if node.op_type == "Shape")
    plan = make_plan(canonical, calibrate(canonical, [images(size)], lambda: MinMax(None)), step, "portable")
    integer = write_qdq(canonical, plan)
    onnx.checker.check_model(integer)
    expected = evaluate(canonical, images(size))
    assert np.abs(evaluate(integer, images(size)) - expected).max() <= 0.05 * np.abs(expected).max()
