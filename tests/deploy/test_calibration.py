"""Observers see the tensors of the canonical graph, batch by batch."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.observers import MinMaxObserver
from paredown.deploy.calibrate import calibrate
from paredown.deploy.places import quantized_tensors
from paredown.errors import DataError


def observer():
    return MinMaxObserver(None)


def test_the_observer_keeps_the_smallest_and_the_greatest_value():
    watcher = observer()
    watcher.update(np.array([1.0, 3.0]))
    watcher.update(np.array([-2.0, 0.0]))
    assert watcher.range() == (-2.0, 3.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_observer_refuses_what_is_not_finite(value):
    with pytest.raises(DataError, match="not finite"):
        observer().update(np.array([0.0, value, 1.0], np.float32))


def test_an_observer_that_saw_nothing_has_no_range():
    with pytest.raises(DataError, match="nothing was observed"):
        observer().range()


def test_batches_do_not_change_the_ranges(canonical, images):
    whole = calibrate(canonical, [images], observer)
    parts = calibrate(canonical, [images[:5], images[5:]], observer)
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


def test_calibration_needs_images(canonical):
    with pytest.raises(DataError, match="no calibration images"):
        calibrate(canonical, [], observer)
