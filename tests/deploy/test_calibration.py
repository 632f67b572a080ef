"""Observers see the tensors of the canonical graph, batch by batch."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from paredown.algorithms.observers.entropy import Entropy
from paredown.algorithms.observers.extremes import MinMax, MovingAverage
from paredown.algorithms.observers.percentile import Percentile
from paredown.algorithms.observers.squared_error import SquaredError
from paredown.deploy.calibrate import calibrate, silent_places
from paredown.deploy.places import quantized_tensors
from paredown.errors import DataError
from paredown.spec.components import EntropyObserver, HistogramObserver, MovingAverageObserver, PercentileObserver


def observer():
    return MinMax(None)


def with_weight(canonical, value):
    """The network with one weight changed in a layer that no activation follows: nothing hides what comes of it."""
    changed = onnx.ModelProto()
    changed.CopyFrom(canonical)
    weight = next(one for one in changed.graph.initializer if one.name == "conv2.weight")
    array = onnx.numpy_helper.to_array(weight).copy()
    array.flat[0] = value
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    return changed


KINDS = {
    "minmax": lambda: MinMax(None),
    "percentile": lambda: Percentile(PercentileObserver()),
    "histogram": lambda: SquaredError(HistogramObserver()),
    "entropy": lambda: Entropy(EntropyObserver()),
}


class Listening:
    """Declares nothing, and so is given whole batches; keeps what it is given."""

    def __init__(self):
        self.batches = []

    def update(self, values):
        self.batches.append(np.array(values))

    def range(self):
        return float(min(one.min() for one in self.batches)), float(max(one.max() for one in self.batches))


@pytest.mark.parametrize("kind", KINDS)
def test_neither_the_size_nor_the_order_of_batches_changes_the_ranges(canonical, images, kind):
    whole = calibrate(canonical, [images], KINDS[kind])
    parts = calibrate(canonical, [images[5:], images[:5]], KINDS[kind])
    assert whole.keys() == parts.keys() == set(quantized_tensors(canonical.graph))
    for name, bounds in whole.items():
        assert parts[name] == pytest.approx(bounds, rel=1e-6)


def test_the_ranges_of_the_images_are_exact(canonical, images):
    assert calibrate(canonical, [images], observer)["images"] == (images.min(), images.max())


def test_calibration_leaves_the_network_as_it_was(canonical, images):
    before = canonical.SerializeToString(deterministic=True)
    calibrate(canonical, [images], observer)
    assert canonical.SerializeToString(deterministic=True) == before


def test_an_image_that_is_not_finite_is_an_error_that_names_the_tensor(canonical, images):
    images[0, 0, 0, 0] = np.nan
    with pytest.raises(DataError) as caught:
        calibrate(canonical, [images], observer)
    assert caught.value.problems[0].where == "calibration, tensor images"


def test_one_activation_that_is_not_a_number_is_an_error_that_names_the_tensor(canonical, images):
    spoiled = with_weight(canonical, np.nan)
    for make in (observer, KINDS["histogram"]):
        with pytest.raises(DataError, match="not finite") as caught:
            calibrate(spoiled, [images], make)
        assert caught.value.problems[0].where != "calibration, tensor images"


def test_large_activations_whose_sum_overflows_are_finite(canonical, images):
    steep = with_weight(canonical, np.float32(1e37))
    ranges = calibrate(steep, [images], observer)
    assert max(high for _, high in ranges.values()) > 1e37
    for name, (low, high) in calibrate(steep, [images], Listening).items():
        assert ranges[name][1] == pytest.approx(high, rel=1e-6)
        assert min(ranges[name][0], 0.0) == pytest.approx(min(low, 0.0), rel=1e-6)


def test_calibration_needs_images(canonical):
    with pytest.raises(DataError, match="no calibration images"):
        calibrate(canonical, [], observer)


def test_extremes_taken_inside_the_graph_are_those_of_the_tensors(canonical, images):
    ranges = calibrate(canonical, [images[:9], images[9:]], observer)
    for name, (low, high) in calibrate(canonical, [images[:9], images[9:]], Listening).items():
        assert ranges[name][1] == pytest.approx(high, rel=1e-6)
        assert min(ranges[name][0], 0.0) == pytest.approx(min(low, 0.0), rel=1e-6)


def test_a_moving_average_is_one_over_whole_batches(canonical, images):
    batches = [images[:4], images[4:12], images[12:]]
    found = calibrate(canonical, batches, lambda: MovingAverage(MovingAverageObserver(momentum=0.5)))["t3"]
    made = []
    calibrate(canonical, batches, lambda: made.append(Listening()) or made[-1])
    seen = made[quantized_tensors(canonical.graph).index("t3")].batches
    assert [len(one) for one in seen] == [4, 8, 4]
    expected = [0.25 * f(seen[0]) + 0.25 * f(seen[1]) + 0.5 * f(seen[2]) for f in (np.min, np.max)]
    assert found == pytest.approx(expected, rel=1e-6)


def test_large_batches_are_looked_at_in_parts_where_that_makes_no_difference(canonical):
    images = np.random.default_rng(2).normal(size=(100, 2, 6, 6)).astype(np.float32)
    histogram = calibrate(canonical, [images], lambda: Percentile(PercentileObserver(percentile=100)))
    for name, bounds in calibrate(canonical, [images], Listening).items():
        assert histogram[name] == pytest.approx(bounds, rel=1e-6)


@pytest.mark.parametrize("batches", [[], [np.empty((0, 2, 6, 6), np.float32)]])
def test_batches_without_images_are_no_calibration(canonical, batches):
    with pytest.raises(DataError, match="no calibration images"):
        calibrate(canonical, batches, observer)


def test_images_of_one_colour_are_an_error_even_when_channels_differ(canonical):
    images = np.broadcast_to(np.float32([0.5, -1.0])[:, None, None], (4, 2, 6, 6))
    with pytest.raises(DataError, match="constant") as caught:
        calibrate(canonical, [np.ascontiguousarray(images)] * 2, observer)
    assert caught.value.problems[0].value == "0.5, -1"


def test_images_that_are_each_of_another_colour_are_calibrated(canonical):
    images = np.broadcast_to(np.float32([1, 2, 3, 4])[:, None, None, None], (4, 2, 6, 6))
    assert calibrate(canonical, [np.ascontiguousarray(images)], observer)["images"] == (1.0, 4.0)


@pytest.mark.parametrize("kind", KINDS)
def test_overflow_inside_the_network_is_an_error_that_names_the_tensor(build, kind):
    nodes = [("Conv", ["x", "a.weight"], ["h"]), ("Relu", ["h"], ["r"]), ("Conv", ["r", "b.weight"], ["y"])]
    huge = np.full((2, 2, 1, 1), 3e38, np.float32)
    model = build(nodes, {"a.weight": huge, "b.weight": np.ones_like(huge)}, output=("N", 2, 6, 6))
    images = np.random.default_rng(0).uniform(2, 9, (4, 2, 6, 6)).astype(np.float32)
    with pytest.raises(DataError, match="not finite") as caught:
        calibrate(model, [images], KINDS[kind])
    assert caught.value.problems[0].where == "calibration, tensor r"


@pytest.mark.parametrize("kind", KINDS)
def test_places_where_nothing_fires_are_named(build, images, kind):
    nodes = [
        ("Conv", ["x", "a.weight", "a.bias"], ["h"]),
        ("Relu", ["h"], ["r"]),
        ("Conv", ["r", "b.weight"], ["g"]),
        ("Add", ["g", "r"], ["s"]),
        ("Relu", ["s"], ["y"]),
    ]
    kernel = np.zeros((2, 2, 1, 1), np.float32)
    constants = {"a.weight": kernel, "a.bias": np.float32([-1, -2]), "b.weight": kernel}
    model = build(nodes, constants, output=("N", 2, 6, 6))
    ranges = calibrate(model, [images], KINDS[kind])
    assert silent_places(model.graph, ranges) == ("b input", "b output")


def test_a_range_too_small_for_a_scale_is_silent(canonical, images):
    ranges = calibrate(canonical, [images], observer)
    assert silent_places(canonical.graph, ranges | {"t1": (0.0, 1e-40)}) == ("conv2 input",)


def test_a_network_that_fires_everywhere_has_no_silent_places(canonical, images):
    assert silent_places(canonical.graph, calibrate(canonical, [images], observer)) == ()
