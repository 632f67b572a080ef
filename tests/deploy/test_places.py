"""The tensors that are quantized, and their names in the network."""

from __future__ import annotations

import numpy as np

from paredown.deploy.places import Place, layer_calls, places, quantized_tensors

KERNEL = np.ones((2, 2, 1, 1), np.float32)
IMAGE = ("N", 2, 6, 6)


def test_the_twin_is_quantized_where_the_runtime_fuses(canonical):
    # t0 conv1, t1 relu, t2 pool, t3 conv2, t4 add, t5 relu, t6 mean, t7 flatten
    assert quantized_tensors(canonical.graph) == ["images", "t1", "t3", "t5", "t6"]


def test_places_are_named_after_layers_where_they_can_be(canonical):
    assert places(canonical.graph) == {
        "images": (Place("conv1", "input"),),
        "t1": (Place("conv2", "input"),),  # through max pooling
        "t3": (Place("conv2", "output"),),  # into the residual add
        "t5": (Place("t5", "output", owner="graph"),),
        "t6": (Place("fc", "input"),),  # through flattening
    }


def test_a_tensor_that_two_layers_read_is_the_input_of_both(build):
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("Conv", ["x", "b.weight"], ["g"]), ("Add", ["h", "g"], ["y"])]
    graph = build(nodes, {"a.weight": KERNEL, "b.weight": KERNEL}, output=IMAGE).graph
    assert places(graph)["x"] == (Place("a", "input"), Place("b", "input"))


def test_a_layer_that_is_called_twice_counts_its_calls(build):
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("Relu", ["h"], ["r"]), ("Conv", ["r", "a.weight"], ["y"])]
    graph = build(nodes, {"a.weight": KERNEL}, output=IMAGE).graph
    assert [(call.layer, call.index) for call in layer_calls(graph)] == [("a", 0), ("a", 1)]
    assert places(graph) == {"x": (Place("a", "input", 0),), "r": (Place("a", "input", 1),)}


def test_a_linear_bottleneck_is_the_next_layers_input(build):
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("Conv", ["h", "b.weight"], ["y"])]
    graph = build(nodes, {"a.weight": KERNEL, "b.weight": KERNEL}, output=IMAGE).graph
    assert places(graph)["h"] == (Place("b", "input"),)


def test_a_bottleneck_that_a_shortcut_reads_too_is_also_the_layers_output(build):
    nodes = [
        ("Conv", ["x", "a.weight"], ["h"]),
        ("Conv", ["h", "b.weight"], ["g"]),
        ("Add", ["h", "g"], ["s"]),
        ("Relu", ["s"], ["y"]),
    ]
    graph = build(nodes, {"a.weight": KERNEL, "b.weight": KERNEL}, output=IMAGE).graph
    assert places(graph)["h"] == (Place("b", "input"), Place("a", "output"))


def test_without_a_quantized_layer_sums_and_pooling_stay_in_float(canonical):
    assert quantized_tensors(canonical.graph, ["conv1", "conv2", "fc"]) == []
    assert "t5" in quantized_tensors(canonical.graph, ["conv1", "conv2"])


def test_the_output_stays_float(canonical):
    assert "outputs" not in quantized_tensors(canonical.graph)


def test_float_operators_among_themselves_stay_float(build):
    nodes = [
        ("Conv", ["x", "a.weight"], ["h"]),
        ("Softplus", ["h"], ["p"]),
        ("Tanh", ["p"], ["t"]),
        ("Abs", ["t"], ["y"]),
    ]
    graph = build(nodes, {"a.weight": KERNEL}, output=IMAGE).graph
    assert quantized_tensors(graph) == ["x", "h"]


def test_adding_a_constant_stays_float(build):
    nodes = [("Relu", ["x"], ["r"]), ("Add", ["r", "c"], ["s"]), ("Abs", ["s"], ["y"])]
    assert quantized_tensors(build(nodes, {"c": np.float32(1)}, output=IMAGE).graph) == []
