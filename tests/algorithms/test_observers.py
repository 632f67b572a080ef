"""Observers against NumPy on all values at once, and against what theory says of known distributions."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.observers import histogram as histograms
from paredown.algorithms.observers.entropy import Entropy, divergence
from paredown.algorithms.observers.extremes import MinMax, MovingAverage
from paredown.algorithms.observers.histogram import StreamingHistogram
from paredown.algorithms.observers.percentile import Percentile
from paredown.algorithms.observers.squared_error import SquaredError, squared_error
from paredown.algorithms.qparams import activation_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.errors import DataError
from paredown.spec.components import EntropyObserver, HistogramObserver, MovingAverageObserver, PercentileObserver

COUNT = 30_000


def drawn(name):
    random = np.random.default_rng(0)
    values = {
        "normal": lambda: random.normal(size=COUNT),
        "relu": lambda: np.maximum(random.normal(size=COUNT), 0),
        "relu6": lambda: np.clip(random.normal(2, 3, size=COUNT), 0, 6),
        "uniform": lambda: random.uniform(-1, 1, COUNT),
        "heavy": lambda: random.standard_t(3, COUNT),
        "lopsided": lambda: np.where(
            random.random(COUNT) < 0.5, random.normal(size=COUNT) ** 2, -0.1 * random.random(COUNT)
        ),
        "negative": lambda: -np.abs(random.normal(size=COUNT)),
    }[name]()
    return values.astype(np.float32)


NAMES = ["normal", "relu", "relu6", "uniform", "heavy", "lopsided", "negative"]


def counted(values, bins=2048):
    made = StreamingHistogram(bins)
    made.update(values)
    return made


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bins", [128, 1000, 2048])
def test_every_value_is_in_its_bin(name, bins):
    values, found = drawn(name), counted(drawn(name), bins)
    index = np.trunc(values.astype(np.float64) / found.width).astype(int) + bins - 1
    np.testing.assert_array_equal(found.counts, np.bincount(index, minlength=2 * bins - 1))
    assert (found.minimum, found.maximum) == (values.min(), values.max())
    assert np.abs(values).max() < bins * found.width <= 4 * np.abs(values).max()


@pytest.mark.parametrize("name", NAMES)
def test_counts_depend_on_the_values_alone_and_not_on_their_order(name):
    values = drawn(name)
    whole = counted(values)
    for order in (np.argsort(values), np.argsort(-values), np.argsort(np.abs(values))):
        parts = StreamingHistogram(2048)
        for part in np.array_split(values[order], 37):
            parts.update(part)
        np.testing.assert_array_equal(parts.counts, whole.counts)
        assert parts.width == whole.width


def test_zeros_wait_for_the_first_value():
    made = StreamingHistogram(128)
    made.update(np.zeros(5, np.float32))
    made.update(np.float32([1e-44, 1e-20, 3e38]))
    assert made.counts.sum() == 8
    assert made.counts[127] == 7
    made.update(np.float32([-3.4e38]))
    assert made.counts.sum() == 9


def test_of_large_tensors_a_tenth_is_counted_however_the_images_are_grouped():
    images = np.random.default_rng(0).normal(size=(6, 8, 32, 32)).astype(np.float32)
    whole, parts = counted(images), StreamingHistogram(2048)
    for one in (images[:3], images[3:4], images[4:]):
        parts.update(one)
    np.testing.assert_array_equal(parts.counts, whole.counts)
    share = whole.counts.sum() / images.size
    assert share == pytest.approx(histograms.RUN / histograms.PERIODS[0], rel=0.1)
    assert (whole.minimum, whole.maximum) == (images.min(), images.max())
    for bounds in (0.01, 0.5, 0.99):
        assert whole.quantile(bounds) == pytest.approx(np.quantile(images, bounds), abs=0.2)


@pytest.mark.parametrize(
    "shape", [(64, 8, 8), (163, 4, 4), (128, 3, 3), (128, 4, 4), (1280, 1, 1), (32, 16, 16), (8, 64, 64)], ids=str
)
def test_of_large_tensors_every_channel_and_every_row_has_its_turn(shape):
    values = np.zeros((32, *shape), np.float32)
    for axis in range(len(shape)):
        marks = 1 + np.arange(shape[axis]).reshape([-1 if one == axis else 1 for one in range(3)])
        made = counted(values + marks.astype(np.float32), bins=2048)
        found = made.counts[made.bins - 1 :]
        places = (marks.reshape(-1) / made.width).astype(int)
        assert np.count_nonzero(found[places]) == shape[axis], "not every one was counted"
        evenly = found.sum() / shape[axis]
        assert np.abs(found[places] - evenly).max() < max(16, 0.5 * evenly)


def test_channels_that_differ_from_the_others_set_the_range():
    images = np.random.default_rng(0).normal(0, 0.5, size=(32, 64, 8, 8)).astype(np.float32)
    images[:, [1, 2, 3, 11, 23, 41, 63]] *= 20
    observer, exact = SquaredError(HistogramObserver()), SquaredError(HistogramObserver())
    observer.update(images)
    for one in images.reshape(-1, 1024):
        exact.update(one)
    np.testing.assert_allclose(observer.range(), exact.range(), rtol=0.25)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.5, 0.9, 0.9999, 1.0])
def test_quantiles_are_numpys_to_the_width_of_a_bin(name, share):
    values, found = drawn(name), counted(drawn(name))
    assert found.quantile(share) == pytest.approx(
        np.quantile(values, share, method="inverted_cdf"), abs=2 * found.width
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_percentile_leaves_out_its_share(name):
    values = drawn(name)
    observer = Percentile(PercentileObserver(percentile=99.0))
    observer.update(values)
    low, high = observer.range()
    expected = np.percentile(values, [0.5, 99.5], method="inverted_cdf")
    np.testing.assert_allclose((low, high), expected, atol=2 * counted(values).width)


def test_all_percent_are_the_extremes():
    values, observer = drawn("normal"), Percentile(PercentileObserver(percentile=100))
    observer.update(values.reshape(3, -1))  # large images, of which a tenth is counted
    assert observer.range() == (values.min(), values.max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("bits", "symmetric"), [(8, False), (8, True), (4, False), (4, True)])
def test_the_histograms_squared_error_is_that_of_the_values(name, bits, symmetric):
    values, found = drawn(name), counted(drawn(name))
    lower, upper = found.edges()
    edges = np.append(lower, upper[-1])
    for part in (1.0, 0.5, 0.1):
        tensor = activation_qparams(values.min() * part, values.max() * part, bits=bits, symmetric=symmetric)
        error = values.astype(np.float64) - fake_quantize(values, tensor)
        expected = np.square(error).sum()
        # Bins at zero and, of Relu6, at six hold many equal values, which have less error than a bin's width of them.
        spread = found.counts.max() * found.width**2 / 3 + expected * 0.05
        assert squared_error(edges, found.counts, tensor) == pytest.approx(expected, abs=spread)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("bits", "symmetric"), [(8, False), (8, True), (4, False), (4, True), (16, False)])
def test_no_range_on_a_grid_has_a_much_smaller_squared_error(name, bits, symmetric):
    values = drawn(name)
    observer = SquaredError(HistogramObserver(), bits=bits, symmetric=symmetric)
    observer.update(values)

    def error(low, high):
        tensor = activation_qparams(low, high, bits=bits, symmetric=symmetric)
        return float(np.square(values - fake_quantize(values, tensor)).sum(dtype=np.float64))

    chosen = error(*observer.range())
    shares = 2.0 ** -np.arange(0, 5, 0.5)
    low, high = min(values.min(), 0), max(values.max(), 0)
    grid = [error(low * first, high * second) for first in shares for second in shares]
    assert chosen <= min(grid) * 1.1
    assert low <= observer.range()[0] <= observer.range()[1] <= high


def test_fewer_bits_clip_more():
    values, widths = drawn("normal"), []
    for bits in (16, 8, 4):
        observer = SquaredError(HistogramObserver(), bits=bits)
        observer.update(values)
        low, high = observer.range()
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2]
    # The best clipping of a normal distribution at 4 bits (Banner et al., 2019: 2.55 standard deviations).
    assert widths[2] / 2 == pytest.approx(2.55, rel=0.06)


def test_the_divergence_by_hand():
    counts = np.array([4.0, 2.0, 1.0, 1.0])
    # Levels 0, 0, 1 and one beyond: the reference is [4, 2, 2] / 8, what is left [3, 3, 1] / 7.
    expected = sum(p * np.log(p / q) for p, q in ((4 / 8, 3 / 7), (2 / 8, 3 / 7), (2 / 8, 1 / 7)))
    assert divergence(counts, np.array([0, 0, 1, 2]), 0, 1) == pytest.approx(expected)


def test_nothing_is_lost_where_each_bin_has_a_level():
    assert divergence(np.array([4.0, 2.0, 1.0]), np.array([0, 1, 2]), 0, 255) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("name", ["normal", "relu", "lopsided", "negative"])
def test_entropy_cuts_outliers_off_and_keeps_the_bulk(name, symmetric):
    values = drawn(name)
    outlier = np.float32(20 * (-1 if name == "negative" else 1) * np.abs(values).std())
    observer = Entropy(EntropyObserver(), symmetric=symmetric)
    observer.update(np.append(values, outlier))
    reach = max(map(abs, observer.range()))
    assert reach < 0.7 * abs(outlier)
    assert np.mean(np.abs(values) <= reach) > 0.99


@pytest.mark.parametrize("name", ["uniform", "relu6"])
def test_entropy_keeps_a_distribution_that_fills_its_range(name):
    values, observer = drawn(name), Entropy(EntropyObserver())
    observer.update(values)
    np.testing.assert_allclose(observer.range(), (min(values.min(), 0), values.max()), rtol=0.05)


def test_entropy_takes_all_where_levels_are_finer_than_bins():
    values, observer = drawn("heavy"), Entropy(EntropyObserver(), bits=16)
    observer.update(values)
    assert observer.range() == (values.min(), values.max())


@pytest.mark.parametrize("kind", [SquaredError, Entropy])
def test_how_many_zeros_a_relu_made_says_nothing_about_the_best_range(kind):
    found = []
    for zeros in (0, COUNT, 20 * COUNT):
        observer = kind(HistogramObserver())
        observer.update(np.abs(drawn("normal")))
        observer.update(np.zeros(zeros + 1, np.float32))
        found.append(observer.range())
    assert found[0] == found[1] == found[2]


def test_the_moving_average_starts_with_the_first_batch():
    observer = MovingAverage(MovingAverageObserver(momentum=0.75))
    observer.update(np.float32([-1, 4]))
    assert observer.range() == (-1.0, 4.0)
    observer.update(np.float32([-5, 8]))
    assert observer.range() == (-2.0, 5.0)


def test_minmax_keeps_the_smallest_and_the_greatest_value():
    observer = MinMax(None)
    observer.update(np.float32([1, 3]))
    observer.update(np.float32([-2, 0]))
    assert observer.range() == (-2.0, 3.0)


def test_no_values_are_no_observation():
    with pytest.raises(DataError, match="nothing was observed"):
        MinMax(None).update(np.empty(0, np.float32))


def test_with_symmetric_integers_the_absmax_of_batches_is_averaged():
    batches = [np.float32([-10, 1]), np.float32([-1, 6]), np.float32([-1, 2])]
    apart, together = (MovingAverage(MovingAverageObserver(momentum=0.5), symmetric=one) for one in (False, True))
    for batch in batches:
        apart.update(batch)
        together.update(batch)
    assert apart.range() == (-3.25, 2.75)
    assert together.range() == (-5.0, 5.0)
