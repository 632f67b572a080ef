"""Gradients through fake quantization: straight through, and those of learned scales as in the papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from quantizing_on_paddle import FOLDS, Only, folded

from paredown.algorithms.fold import fold_factor
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.plan import QuantizationPoint, QuantizedTensor
from paredown.spec.models import QuantizeWeights


def gradients(function, values, weights, *parameters):
    """The gradients of sum(weights * function(values)) in the values and the parameters."""
    import paddle

    given = paddle.to_tensor(values, stop_gradient=False)
    (paddle.to_tensor(weights) * function(given)).sum().backward()
    return [each.grad.numpy() for each in (given, *parameters)]


def test_gradients_pass_straight_through_where_the_integer_is_not_clipped(hooks):
    from paredown_paddle.straight_through import straight_through

    tensor = activation_qparams(-1.0, 2.0, bits=4)  # scale 0.2, zero point 5: integers 0 to 15
    values = np.array([-1.2, -1.05, -0.3, 0.0, 1.99, 2.05, 2.2], np.float32)
    weights = np.arange(1, 8, dtype=np.float32)
    (found,) = gradients(lambda given: straight_through(given, tensor), values, weights)
    assert found.tolist() == [0, 2, 3, 4, 5, 6, 0]


def test_binary_weights_pass_every_gradient(hooks):
    from paredown_paddle.straight_through import straight_through

    tensor = weight_qparams(np.array([[0.5, -1.5]]), QuantizeWeights(bits=1), "portable")
    values, weights = np.array([[-3, -0.1, 0, 2]], np.float32), np.array([[1, 2, 3, 4]], np.float32)
    assert gradients(lambda given: straight_through(given, tensor), values, weights)[0].tolist() == [[1, 2, 3, 4]]


def lsq(values, tensor, weights, rows):
    """LSQ's gradients by the paper, in float64: of the values, and of each scale."""
    scale, zero = (np.asarray(each, np.float64).reshape(-1, 1) for each in (tensor.scale, tensor.zero_point))
    ratio, upper = rows(values.astype(np.float64)) / scale, rows(weights.astype(np.float64))
    low, high = tensor.qmin - zero, tensor.qmax - zero
    slope = np.where(ratio <= low, low, np.where(ratio >= high, high, np.rint(ratio) - ratio))
    inside = (ratio > low) & (ratio < high)
    return (upper * inside).reshape(values.shape), (upper * slope).sum(1)


@pytest.mark.parametrize("options", [
    QuantizeWeights(bits=4), QuantizeWeights(bits=4, symmetric=False), QuantizeWeights(bits=2, granularity="tensor"),
    QuantizeWeights(bits=8, granularity="group", group_size=4),
])  # fmt: skip
def test_learned_step_sizes_have_the_gradient_of_the_paper(hooks, options):
    from paredown.algorithms.grouping import in_rows
    from paredown_paddle.learned_scales import LearnedScales

    random = np.random.default_rng(0)
    values, weights = random.normal(size=(2, 3, 8)).astype(np.float32)
    tensor = weight_qparams(values, options, "vnni")
    tensor = tensor.model_copy(update={"scale": tuple(np.float32(each) * np.float32(0.6) for each in tensor.scale)})
    scales = LearnedScales(Only(QuantizationPoint(layer="a", port="weight", tensor=tensor)))
    (step,) = scales.steps.values()

    def quantized(given):
        from paredown_paddle.fake_quantization import Grid
        from paredown_paddle.straight_through import Result, passed_through, step_slope

        slope, inside = step_slope(given.detach(), tensor, step.scale)
        grid = Grid(tensor, given, step.scale)
        learn = step.learner(tensor, slope, 24 // len(tensor.scale))
        return passed_through(given, Result(grid.restored(grid.steps(given.detach())), inside, learn), step.share)

    found, found_share = gradients(quantized, values, weights, step.share)
    wanted, of_scale = lsq(values, tensor, weights, lambda each: in_rows(each, tensor.axis, tensor.group_size))
    assert np.array_equal(found, wanted.astype(np.float32))
    factor = 1 / math.sqrt(24 / len(tensor.scale) * tensor.qmax)
    # The parameter is the share of the start: its gradient times the start is that of the scale, to descend by.
    assert found_share * np.float32(tensor.scale) == pytest.approx(of_scale * factor, rel=1e-4, abs=1e-5)
    assert (wanted == 0).any()


def test_a_learned_scale_behind_a_batch_norm_learns_what_reaches_it_through_the_division(hooks, build):
    """The weight that computes is fake_quantize(w k) / k, and so the slope in the scale is divided by k."""
    import paddle

    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    tensor = weight_qparams(folded(state, "conv2"), QuantizeWeights(bits=4), "portable")
    # Smaller, so that no weight lies at the very end of the range, where float32's rounding decides.
    tensor = tensor.model_copy(update={"scale": tuple(float(np.float32(0.7 * each)) for each in tensor.scale)})
    scales = Only(QuantizationPoint(layer="conv2", port="weight", tensor=tensor))
    scales.folds = FOLDS
    training = QuantizedTraining(model, scales)
    upper = np.random.default_rng(0).normal(size=state["conv2.weight"].shape).astype(np.float32)
    (training._weights["conv2"].quantized() * paddle.to_tensor(upper)).sum().backward()
    rows = folded(state, "conv2").reshape(64, -1).astype(np.float64)
    ratio = rows / np.array(tensor.scale)[:, None]
    slope = np.where(np.abs(ratio) >= 7, 7 * np.sign(ratio), np.rint(ratio) - ratio)
    factor = fold_factor(state["bn2.weight"], state["bn2.running_var"], 1e-5)
    wanted = (upper.reshape(64, -1) * slope).sum(1) / factor / math.sqrt(rows.shape[1] * 7)
    (step,) = training.scales.steps.values()
    # The share is that of the scale in units of |k|: as fast as the scale of the weight itself would learn.
    found = step.share.grad.numpy() * np.array(tensor.scale) / np.abs(factor)
    wanted = wanted * np.abs(factor)
    assert found == pytest.approx(wanted, rel=1e-3, abs=1e-4 * np.abs(wanted).max())
    inside = (np.abs(ratio) < 7).reshape(upper.shape)
    assert np.array_equal(model.conv2.weight.grad.numpy(), np.where(inside, upper, 0))
    assert not inside.all()


def test_values_at_the_ends_of_the_range_move_the_scale_and_take_no_gradient(hooks):
    from paredown_paddle.learned_scales import LearnedScales

    # v = x / 0.5 = -8, -7, -2.4, 0.8, 3, 7.2: slopes -7, -7, 0.4, 0.2, 0, 7 (equation 3).
    tensor = QuantizedTensor(bits=4, qmin=-7, qmax=7, scale=(0.5,), zero_point=(0,))
    scales = LearnedScales(Only(QuantizationPoint(layer="a", port="input", tensor=tensor)))
    (step,) = scales.steps.values()
    values, weights = np.array([[-4, -3.5, -1.2, 0.4, 1.5, 3.6]], np.float32), np.arange(1, 7, dtype=np.float32)
    inner, share = gradients(lambda given: scales.quantized(("a", "input", 0), given), values, weights, step.share)
    assert inner.tolist() == [[0, 0, 3, 4, 5, 0]]
    assert share * 0.5 == pytest.approx((-7 * 1 - 7 * 2 + 0.4 * 3 + 0.2 * 4 + 7 * 6) / math.sqrt(6 * 7), rel=1e-5)


def test_the_clipping_level_takes_the_gradient_of_what_reaches_it(hooks):
    from paredown_paddle.learned_scales import LearnedScales

    point = QuantizationPoint(layer="a", port="input", tensor=activation_qparams(0, 1.5, bits=4))
    scales = LearnedScales(Only(point, pact=True))
    (level,) = scales.levels.values()
    assert level.numpy() == pytest.approx([1.5])
    values, weights = np.array([[-0.2, 0, 0.7, 1.4, 1.6, 9]], np.float32), np.arange(1, 7, dtype=np.float32)
    values_gradient, level_gradient = gradients(
        lambda given: scales.quantized(("a", "input", 0), given), values, weights, level
    )
    assert values_gradient.tolist() == [[0, 2, 3, 4, 0, 0]]
    assert level_gradient.tolist() == [11]
    assert scales.learned()["a", "input", 0].scale[0] == pytest.approx(0.1)
