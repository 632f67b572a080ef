"""What is learned of scales: where it starts, how far a step moves it, what decays and what is shared."""

from __future__ import annotations

import numpy as np
import pytest
from quantizing_on_paddle import FOLDS, IMAGE, POSITIVE, Only, Scales, folded, of_core

from paredown.algorithms.fold import fold_factor
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.plan import DistillPlan, QuantizationPoint
from paredown.spec.models import AdamWConfig, ConstantSchedule, QuantizeWeights, SgdConfig

ZERO = activation_qparams(0.0, 0.0)


@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
def test_a_learned_scale_follows_the_size_of_the_factor(hooks, build, granularity):
    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    size = {"group_size": 16} if granularity == "group" else {}
    options = QuantizeWeights(bits=4, granularity=granularity, **size)
    training = QuantizedTraining(model, Scales(state, options, learned=True, activations=False))
    key = ("conv2", "weight", 0)
    start = weight_qparams(folded(state, "conv2"), options, "portable").scale
    assert training.learned()[key].scale == start
    before = np.abs(fold_factor(state["bn2.weight"], state["bn2.running_var"], 1e-5))
    state["bn2.weight"][5] *= -4
    hooks.restore(backend="paddle", model=model, state=state)
    after = np.abs(fold_factor(state["bn2.weight"], state["bn2.running_var"], 1e-5))
    change = after.mean() / before.mean() if granularity == "tensor" else np.repeat(after / before, len(start) // 64)
    assert training.learned()[key].scale == pytest.approx(np.array(start) * change, rel=1e-6)


@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
def test_learned_scales_of_weights_that_batch_norm_multiplies_with_zero_are_those_of_the_weights(
    hooks, build, granularity
):
    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    options = QuantizeWeights(bits=4, granularity=granularity, group_size=9 if granularity == "group" else None)
    state = hooks.save(backend="paddle", model=model)
    state["bn2.weight"][:] = 0
    hooks.restore(backend="paddle", model=model, state=state)
    tensor = weight_qparams(folded(state, "conv2"), options, "portable")
    point = QuantizationPoint(layer="conv2", port="weight", tensor=tensor)
    training = QuantizedTraining(model, of_core(point, options, FOLDS, learned=True))
    training.before_step(0)
    assert np.array_equal(training._weights["conv2"].quantized().numpy(), state["conv2.weight"])

    state["bn2.weight"][:] = 0.1
    hooks.restore(backend="paddle", model=model, state=state)
    found = training._weights["conv2"].quantized().numpy()
    wanted = fake_quantize(state["conv2.weight"], weight_qparams(state["conv2.weight"], options, "portable"))
    if granularity == "tensor":  # the unit is a mean over channels of other variances
        assert np.count_nonzero(found) > found.size / 2
    else:
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-7)


def test_the_learned_scale_of_a_row_of_zeros_starts_from_its_first_numbers(hooks, build):
    import paddle

    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    kept, state["fc.weight"][3] = state["fc.weight"][3].copy(), 0
    hooks.restore(backend="paddle", model=model, state=state)
    tensor = weight_qparams(state["fc.weight"], QuantizeWeights(bits=4), "portable")
    point = QuantizationPoint(layer="fc", port="weight", tensor=tensor)
    training = QuantizedTraining(model, of_core(point, QuantizeWeights(bits=4), learned=True))
    training.before_step(0)
    paddle.assign(paddle.full([10], 1.01), output=training.scales.parameters()[0])
    state["fc.weight"][3] = kept
    hooks.restore(backend="paddle", model=model, state=state)
    training.before_step(4)

    after = training.learned()["fc", "weight", 0].scale
    assert after[3] == pytest.approx(np.abs(kept).max() / 7)
    others = [row for row in range(10) if row != 3]
    assert np.divide(after, tensor.scale)[others] == pytest.approx([1.01] * 9)


@pytest.mark.parametrize("more", [{"learned": True}, {"pact": True}], ids=str)
def test_what_is_learned_of_an_activation_that_was_zero_starts_from_the_first_batch_that_is_not(hooks, more):
    import paddle

    from paredown_paddle.learned_scales import LearnedScales

    key = ("a", "input", 0)
    scales = LearnedScales(of_core(QuantizationPoint(layer="a", port="input", tensor=ZERO), **more))
    assert not scales.quantized(key, paddle.zeros([2, 4])).any()
    assert scales.learned() == {}
    for highest in (1.5, 9.0):
        scales.quantized(key, paddle.linspace(0, highest, 8).reshape([2, 4]))
        assert scales.learned() == {key: activation_qparams(0.0, 1.5)}


def test_a_level_is_not_learned_where_the_first_numbers_are_below_zero(hooks):
    import paddle

    from paredown_paddle.learned_scales import LearnedScales

    core = of_core(QuantizationPoint(layer="a", port="input", tensor=ZERO), pact=True)
    scales, batch = LearnedScales(core), np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    found = scales.quantized(("a", "input", 0), paddle.to_tensor(batch)).numpy()
    assert found.tobytes() == fake_quantize(batch, activation_qparams(-1.0, 1.0)).tobytes()
    assert scales.learned() == {}
    assert core.trained() == {("a", "input", 0): activation_qparams(-1.0, 1.0)}


@pytest.mark.parametrize(("pushed", "share"), [(-3.0, 0.81), (9.0, 1.21)])
def test_no_step_changes_what_is_learned_by_more_than_a_tenth(hooks, pushed, share):
    import paddle

    from paredown_paddle.learned_scales import LearnedScales

    for pact in (False, True):
        point = QuantizationPoint(layer="a", port="input", tensor=POSITIVE.model_copy(update={"scale": (0.3,)}))
        scales = LearnedScales(Only(point, pact=pact))
        (parameter,) = scales.parameters()
        for _ in range(2):
            paddle.assign(paddle.full_like(parameter, pushed * 100), output=parameter)
            scales.after_step()
        (scale,) = scales.learned()["a", "input", 0].scale
        assert scale == pytest.approx(0.3 * share, rel=1e-6)
        assert scale == np.float32(scale)


@pytest.mark.parametrize("config", [SgdConfig(lr=0.5, weight_decay=0.5), AdamWConfig(lr=0.5, weight_decay=0.5)])
def test_weight_decay_shrinks_clipping_levels_and_no_step_sizes(hooks, config):
    import paddle

    from paredown_paddle.learned_scales import LearnedScales
    from paredown_paddle.optimizing import make_optimizer

    points = (
        QuantizationPoint(layer="a", port="input", tensor=POSITIVE),
        QuantizationPoint(layer="a", port="weight", tensor=IMAGE),
    )
    scales, model = LearnedScales(Only(*points, pact=True)), paddle.nn.Linear(2, 2)
    before = model.weight.numpy()
    plan = DistillPlan(losses=(), teacher=None, epochs=1, batch_size=1, optimizer=config, schedule=ConstantSchedule())
    optimizer = make_optimizer(model, plan, scales)
    (step,), (level,) = scales.steps.values(), scales.levels.values()
    sum((each * 0).sum() for each in (model.weight, step.share, level)).backward()
    start = level.numpy()
    optimizer.step()
    assert step.share.numpy().tolist() == [1]
    assert level.numpy() == pytest.approx(0.75 * start)
    assert model.weight.numpy() == pytest.approx(0.75 * before)


def test_points_with_one_leader_share_what_is_learned(hooks):
    from paredown_paddle.learned_scales import LearnedScales

    points = [QuantizationPoint(layer=layer, port="input", tensor=IMAGE) for layer in ("a", "b")]
    scales = LearnedScales(Only(*points, leaders={("b", "input", 0): ("a", "input", 0)}))
    assert list(scales.learned()) == [("a", "input", 0)]
    assert scales.learned()["a", "input", 0] == IMAGE
