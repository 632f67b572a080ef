"""Paddle's losses against their NumPy references: value, gradient, dtype, and input that leaves nothing to compare."""

from __future__ import annotations

import numpy as np
import pytest
from loss_cases import CASES, OF_SEVERAL_ARRAYS, OPTIONS, POOR, reference, reference_gradient, taught

from paredown.algorithms.losses.pooling import average_pool
from paredown.errors import ModelError
from paredown_paddle import losses, plugin
from paredown_paddle.framework import paddle
from paredown_paddle.losses.pooling import to_smaller


def computed(case, dtype="float64"):
    """The loss, and its gradients by the student's arrays."""
    convert = lambda values, fixed=True: paddle.to_tensor(values, dtype=dtype, stop_gradient=fixed)  # noqa: E731
    if case.loss not in OF_SEVERAL_ARRAYS:
        student = convert(case.student, fixed=False)
        leaves = [student]
    else:
        student = leaves = [convert(values, fixed=False) for values in case.student]
    labels = case.labels if case.labels.dtype.names else paddle.to_tensor(case.labels)
    loss = getattr(losses, case.loss)(student, taught(case, convert), labels, case.options)
    loss.backward()
    return loss.detach(), [leaf.grad.numpy() for leaf in leaves]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_and_gradient_equal_the_reference(case):
    found, gradients = computed(case)
    assert float(found) == pytest.approx(reference(case), rel=1e-5, abs=1e-9)
    for gradient, expected in zip(gradients, reference_gradient(case), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max() + 1e-9)


@pytest.mark.parametrize("case", POOR, ids=str)
def test_where_there_is_nothing_to_compare_value_and_gradient_are_finite(case):
    found, gradients = computed(case, "float32")
    expected = min(reference(case), 64) if case.loss == "hard_label" else reference(case)  # Paddle's own limit
    assert float(found) == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("loss", OPTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loss_has_the_dtype_that_it_is_given(loss, dtype):
    case = next(case for case in CASES if case.loss == loss)
    found, _ = computed(case, dtype)
    assert found.dtype == getattr(paddle, dtype)
    assert float(found) == pytest.approx(reference(case), rel=1e-4)


@pytest.mark.parametrize(("height", "width"), [(7, 5), (6, 4), (3, 9), (1, 8)])
def test_paddle_pools_by_the_windows_of_the_reference(height, width):
    values = np.random.default_rng(0).normal(size=(2, 3, 9, 9))
    small = paddle.zeros([2, 3, height, width], dtype="float64")
    pooled, _ = to_smaller(paddle.to_tensor(values), small)
    np.testing.assert_allclose(pooled.numpy(), average_pool(values, (height, width)), rtol=1e-12)


def test_maps_that_cannot_be_compared_are_refused():
    wide, narrow = paddle.zeros([2, 4, 3, 3]), paddle.zeros([2, 3, 3, 3])
    with pytest.raises(ModelError, match="same channels"):
        losses.feature_l2([narrow], [wide], None, {})
    with pytest.raises(ModelError, match="have one"):
        losses.attention([narrow[:, :, :1, :1]], [wide], None, {})
    with pytest.raises(ModelError, match="not given the maps"):
        losses.fsp([wide], [wide], None, {})


def test_every_loss_of_core_is_implemented():
    assert {component.name for component in plugin.register_components()} == set(OPTIONS)
