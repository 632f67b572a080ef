"""torch's losses against their NumPy references: value, gradient, dtype, and input that leaves nothing to compare."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_cases import CASES, OF_SEVERAL_ARRAYS, OPTIONS, POOR, reference, reference_gradient, taught

from paredown.algorithms.losses.pooling import average_pool
from paredown.errors import ModelError
from paredown_torch import losses, plugin
from paredown_torch.losses.pooling import to_smaller


def computed(case, dtype=torch.float64):
    """The loss, and its gradients by the student's arrays."""
    convert = lambda values: torch.tensor(values, dtype=dtype)  # noqa: E731
    if case.loss not in OF_SEVERAL_ARRAYS:
        student = convert(case.student).requires_grad_()
        leaves = [student]
    else:
        student = leaves = [convert(values).requires_grad_() for values in case.student]
    labels = case.labels if case.labels.dtype.names else torch.tensor(case.labels)
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
    found, gradients = computed(case, torch.float32)
    assert float(found) == pytest.approx(reference(case), rel=1e-3, abs=1e-3)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("loss", OPTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_loss_has_the_dtype_that_it_is_given(loss, dtype):
    case = next(case for case in CASES if case.loss == loss)
    found, _ = computed(case, dtype)
    assert found.dtype == dtype
    assert float(found) == pytest.approx(reference(case), rel=1e-4)


@pytest.mark.parametrize(("height", "width"), [(7, 5), (6, 4), (3, 9), (1, 8)])
def test_torch_pools_by_the_windows_of_the_reference(height, width):
    values = np.random.default_rng(0).normal(size=(2, 3, 9, 9))
    small = torch.zeros(2, 3, height, width, dtype=torch.float64)
    pooled, _ = to_smaller(torch.from_numpy(values), small)
    np.testing.assert_allclose(pooled.numpy(), average_pool(values, (height, width)), rtol=1e-12)


def test_maps_that_cannot_be_compared_are_refused():
    wide, narrow = torch.zeros(2, 4, 3, 3), torch.zeros(2, 3, 3, 3)
    with pytest.raises(ModelError, match="same channels"):
        losses.feature_l2([narrow], [wide], None, {})
    with pytest.raises(ModelError, match="have one"):
        losses.attention([narrow[:, :, :1, :1]], [wide], None, {})
    with pytest.raises(ModelError, match="not given the maps"):
        losses.fsp([wide], [wide], None, {})


def test_every_loss_of_core_is_implemented():
    assert {component.name for component in plugin.register_components()} == set(OPTIONS)
