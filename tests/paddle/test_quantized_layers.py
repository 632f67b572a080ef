"""What a layer computes with while it is trained with quantization: core's numbers, folded as they will be deployed."""

from __future__ import annotations

import numpy as np
import pytest
from quantizing_on_paddle import FOLDS, LAYERS, Scales, Stop, digits, folded, train

from paredown.algorithms.fold import fold_factor
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.plan import QuantizationPoint, QuantPlan
from paredown.spec.models import QuantizeWeights


@pytest.mark.parametrize("options", [
    QuantizeWeights(), QuantizeWeights(bits=4, symmetric=False), QuantizeWeights(bits=2, granularity="tensor"),
    QuantizeWeights(bits=1), QuantizeWeights(bits=4, granularity="group", group_size=5),
])  # fmt: skip
def test_a_layer_computes_with_its_folded_weight_quantized_and_unfolded(hooks, build, options):
    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    training = QuantizedTraining(model, Scales(state, options))
    for layer in LAYERS:
        values = training._weights[layer].quantized().numpy()
        tensor = weight_qparams(folded(state, layer), options, "portable")
        wanted = fake_quantize(folded(state, layer), tensor)
        if layer == "fc":
            assert values.T.tobytes() == wanted.tobytes()
        else:
            norm = layer.replace("conv", "bn")
            factor = fold_factor(state[f"{norm}.weight"], state[f"{norm}.running_var"], 1e-5).reshape(-1, 1, 1, 1)
            assert values.tobytes() == (wanted / factor).astype(np.float32).tobytes()


def test_a_channel_that_batch_norm_multiplies_with_zero_keeps_its_weights_and_learns_them(hooks, build):
    from paredown_paddle.quantized_training import QuantizedTraining

    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    state["bn2.weight"][3], state["bn2.weight"][4] = 0, 1e-39
    hooks.restore(backend="paddle", model=model, state=state)
    for learned in (False, True):
        weight = QuantizedTraining(model, Scales(state, learned=learned))._weights["conv2"].quantized()
        assert np.array_equal(weight.numpy()[3:5], state["conv2.weight"][3:5])
        assert np.isfinite(weight.numpy()).all()
        weight.sum().backward()
        assert (model.conv2.weight.grad.numpy()[3:5] == 1).all()
        model.conv2.weight.clear_grad()


def test_with_frozen_batch_norm_the_forward_pass_is_that_of_the_folded_simulated_network(hooks, build):
    model = build("cnn")
    scales = Scales(hooks.save(backend="paddle", model=model), freeze_bn=0)
    scales.points += (QuantizationPoint(layer="conv1", port="output", tensor=activation_qparams(-4, 4)),)
    copy = hooks.fold(backend="paddle", model=model, folds=FOLDS)
    plan = QuantPlan(mode="qat", target="portable", points=scales.points)
    simulated = hooks.quantize(backend="paddle", model=copy, plan=plan).model
    wanted = hooks.evaluate(backend="paddle", model=simulated, images=digits()[0][:32])
    outputs = []

    def loss(student, teacher, labels, options):
        outputs.append(student.numpy())
        raise Stop

    with pytest.raises(Stop):
        train(hooks, model, scales, loss=loss)
    # Not bit for bit: BatchNorm comes after the sum here, so that now and then a value is rounded to the next step.
    near = np.isclose(outputs[0], wanted, atol=1e-3 * np.abs(wanted).max())
    assert near.mean() > 0.9
    assert np.abs(outputs[0] - wanted).max() < 0.1 * np.abs(wanted).max()
