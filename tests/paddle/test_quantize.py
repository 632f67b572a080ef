"""A quantization plan simulated: core's arithmetic, exactly."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from paredown.algorithms.qparams import AT_RUN_TIME, activation_qparams, runtime_qparams, weight_qparams
from paredown.algorithms.quantizing import fake_quantize
from paredown.errors import DataError, PlanError
from paredown.plan import QuantizationPoint, QuantizedTensor, QuantPlan
from paredown.spec.models import QuantizeWeights

IMAGES = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32) * 3
DIGITS = np.random.default_rng(4).normal(size=(4, 1, 8, 8)).astype(np.float32)
KINDS = [
    QuantizeWeights(bits=bits, symmetric=symmetric, granularity=granularity, group_size=group_size)
    for bits, symmetric in ((8, True), (8, False), (4, True), (4, False), (2, True), (1, True))
    for granularity, group_size in (("channel", None), ("tensor", None), ("group", 16), ("group", 5))
]


def plan_of(*points, **options):
    return QuantPlan(target="portable", points=points, **options)


def activation(scale=0.037, zero=113):
    return QuantizedTensor(bits=8, qmin=0, qmax=255, scale=(scale,), zero_point=(zero,))


@pytest.fixture
def identity(hooks):
    import paddle

    return paddle.nn.Sequential(paddle.nn.Identity())


def simulate(hooks, model, images, *points, **options):
    outcome = hooks.quantize(backend="paddle", model=copy.deepcopy(model), plan=plan_of(*points, **options))
    return hooks.evaluate(backend="paddle", model=outcome.model, images=images)


@pytest.mark.parametrize("port", ["input", "output"])
@pytest.mark.parametrize("bits", [16, 8, 4])
@pytest.mark.parametrize("symmetric", [True, False])
def test_activations_are_cores_to_the_last_bit(hooks, identity, port, bits, symmetric):
    images = np.random.default_rng(0).normal(size=(1000, 100)).astype(np.float32) * 3
    images[0] = np.arange(100) * np.float32(0.5)  # halves, which round to even
    for tensor in (
        activation_qparams(-3.1, 7.3, bits=bits, symmetric=symmetric),
        QuantizedTensor(bits=8, qmin=0, qmax=255, scale=(1.0,), zero_point=(113,)),
    ):
        found = simulate(hooks, identity, images, QuantizationPoint(layer="0", port=port, tensor=tensor))
        assert found.tobytes() == fake_quantize(images, tensor).tobytes()


def test_a_single_value_is_divided_as_ieee_says(hooks, identity):
    """Of tensors of equal shape Paddle's own quotients may be off by a unit in the last place."""
    for value in np.random.default_rng(0).normal(size=300).astype(np.float32):
        image, tensor = value.reshape(1, 1), activation_qparams(-abs(float(value)), abs(float(value)), bits=16)
        found = simulate(hooks, identity, image, QuantizationPoint(layer="0", port="input", tensor=tensor))
        assert found.tobytes() == fake_quantize(image, tensor).tobytes()


def test_the_quotient_of_tensors_of_equal_shape_is_ieees(hooks):
    import paddle

    from paredown_paddle.fake_quantization import divided

    values, scales = np.random.default_rng(0).uniform(0.1, 5, (2, 100_000)).astype(np.float32)
    found = divided(paddle.to_tensor(values), paddle.to_tensor(scales)).numpy()
    assert found.tobytes() == (values / scales).tobytes()


def test_a_range_at_run_time_is_that_of_each_batch(hooks, identity):
    point = QuantizationPoint(layer="0", port="input", tensor=AT_RUN_TIME)
    outcome = hooks.quantize(backend="paddle", model=identity, plan=plan_of(point, mode="dynamic"))
    for images in (IMAGES, IMAGES * 7, np.abs(IMAGES), np.zeros_like(IMAGES)):
        found = hooks.evaluate(backend="paddle", model=outcome.model, images=images)
        wanted = fake_quantize(images, runtime_qparams(float(images.min()), float(images.max())))
        assert found.tobytes() == wanted.tobytes()
    with pytest.raises(DataError, match="not finite"):
        hooks.evaluate(backend="paddle", model=outcome.model, images=np.full((1, 3), np.nan, np.float32))


@pytest.mark.parametrize("options", KINDS, ids=lambda each: f"{each.bits}-{each.symmetric}-{each.granularity}")
def test_weights_are_cores_to_the_last_bit_also_where_paddle_stores_them_transposed(hooks, build, options):
    model = build("cnn")
    before = hooks.save(backend="paddle", model=model)
    names = ("conv1", "conv2", "fc")
    tensors = {name: weight_qparams(before[f"{name}.weight"], options, "portable") for name in names}
    points = [QuantizationPoint(layer=name, port="weight", tensor=tensor) for name, tensor in tensors.items()]
    outcome = hooks.quantize(backend="paddle", model=model, plan=plan_of(*points, mode="weight_only"))
    after = hooks.save(backend="paddle", model=outcome.model)
    assert outcome.evidence == {"points": 3}
    for name, values in before.items():
        layer = name.removesuffix(".weight")
        wanted = fake_quantize(values, tensors[layer]) if layer in tensors else values
        assert after[name].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("options", KINDS, ids=lambda each: f"{each.bits}-{each.symmetric}-{each.granularity}")
def test_the_arithmetic_of_training_is_the_same(hooks, options):
    """Weights that train are fake-quantized on the device, where groups are spread and summed."""
    import paddle

    from paredown_paddle import fake_quantization as own

    random = np.random.default_rng(1)
    for shape in ((8, 3, 3, 3), (6, 17), (5, 1)):
        values = random.normal(size=shape).astype(np.float32)
        tensor = weight_qparams(values, options, "vnni")
        found = own.fake_quantize(paddle.to_tensor(values), tensor).numpy()
        assert found.tobytes() == fake_quantize(values, tensor).tobytes()


@pytest.mark.parametrize(("axis", "group_size"), [(None, None), (0, None), (1, None), (0, 4), (0, 5), (0, 10**12)])
def test_rows_are_cores(hooks, axis, group_size):
    import paddle

    from paredown.algorithms.grouping import in_rows, per_element, row_count
    from paredown_paddle import fake_quantization as own

    values = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    numbers = np.arange(row_count(values.shape, axis, group_size), dtype=np.float32)
    found = own.per_element(paddle.to_tensor(numbers), [3, 4, 3], axis, group_size).numpy()
    assert np.array_equal(found, per_element(numbers, values.shape, axis, group_size))
    sums = own.row_sums(paddle.to_tensor(values), axis, group_size).numpy()
    assert sums == pytest.approx(np.nansum(in_rows(values.astype(np.float64), axis, group_size), axis=1), abs=1e-5)


def test_16_bit_floats_round_weights_and_what_flows_through_layers_with_weights(hooks):
    import paddle

    model = paddle.nn.Sequential(paddle.nn.Identity(), paddle.nn.Linear(3, 2), paddle.nn.Linear(2, 2))
    state = hooks.save(backend="paddle", model=model)
    outcome = hooks.quantize(backend="paddle", model=model, plan=plan_of(mode="fp16", left_float={"2": "protected"}))
    assert outcome.evidence == {"points": 0, "float16": {"layers": 1, "arrays": 2}}
    half = {name: values.astype(np.float16).astype(np.float32) for name, values in state.items()}
    after = hooks.save(backend="paddle", model=outcome.model)
    for name, values in after.items():
        assert values.tobytes() == (half if name.startswith("1.") else state)[name].tobytes()
    first = IMAGES.astype(np.float16).astype(np.float32) @ half["1.weight"].T + half["1.bias"]
    wanted = first.astype(np.float16).astype(np.float32) @ state["2.weight"].T + state["2.bias"]
    assert hooks.evaluate(backend="paddle", model=outcome.model, images=IMAGES) == pytest.approx(wanted, abs=1e-6)


def test_a_weight_too_large_for_16_bits_is_refused_before_anything_is_changed(hooks, build):
    model = build("cnn")
    state = hooks.save(backend="paddle", model=model)
    state["fc.weight"][0, 0] = 1e5
    hooks.restore(backend="paddle", model=model, state=state)
    with pytest.raises(DataError, match=r"fc\.weight"):
        hooks.quantize(backend="paddle", model=model, plan=plan_of(mode="fp16"))
    after = hooks.save(backend="paddle", model=model)
    assert all(np.array_equal(values, after[name]) for name, values in state.items())


def test_a_point_is_for_one_call_of_a_layer_that_is_called_twice(hooks):
    import paddle

    class Twice(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.same = paddle.nn.Identity()

        def forward(self, x):
            return paddle.concat([self.same(x), self.same(x)], axis=1)

    tensor = activation()
    plan = plan_of(QuantizationPoint(layer="same", port="output", index=1, tensor=tensor))
    model = hooks.quantize(backend="paddle", model=Twice(), plan=plan).model
    for _ in range(2):
        found = hooks.evaluate(backend="paddle", model=model, images=IMAGES)
        assert np.array_equal(found, np.concatenate([IMAGES, fake_quantize(IMAGES, tensor)], axis=1))


def test_points_of_the_graph_are_skipped(hooks, identity):
    point = QuantizationPoint(layer="some_add", port="output", owner="graph", tensor=activation())
    outcome = hooks.quantize(backend="paddle", model=identity, plan=plan_of(point))
    assert outcome.evidence == {"points": 0}
    assert np.array_equal(hooks.evaluate(backend="paddle", model=outcome.model, images=IMAGES), IMAGES)


def test_a_point_on_a_layer_that_is_not_there_is_refused(hooks, build):
    plan = plan_of(QuantizationPoint(layer="conv4", port="input", tensor=activation()))
    with pytest.raises(PlanError, match="conv4"):
        hooks.quantize(backend="paddle", model=build("cnn"), plan=plan)


@pytest.mark.parametrize(("axis", "group_size"), [(None, None), (0, None), (0, 8), (3, None)])
def test_scales_of_another_network_are_refused(hooks, build, axis, group_size):
    tensor = QuantizedTensor(
        bits=8, qmin=-64, qmax=63, scale=(0.1,) * 12, zero_point=(0,) * 12, axis=axis, group_size=group_size
    )
    plan = plan_of(QuantizationPoint(layer="fc", port="weight", tensor=tensor))
    with pytest.raises(PlanError, match="number of scales"):
        hooks.quantize(backend="paddle", model=build("cnn"), plan=plan)
