"""What written files weigh, what they are called, and files of 16-bit floats."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from quantized_reference import network, run

from paredown.algorithms.quantizing import fake_quantize
from paredown.deploy.canonical.graph import array_of, constants, with_arrays
from paredown.deploy.inspect import parameters, weight_bytes
from paredown.deploy.points import make_plan
from paredown.deploy.runtimes import ternary_storage
from paredown.deploy.sparsity import sparsity
from paredown.deploy.writing import precision_of, write_quantized
from paredown.deploy.writing.storage import INT2, byte_table, pack, packed_tensor, runtime_takes_int2, unpack
from paredown.errors import DataError
from paredown.plan import QuantizationPoint, QuantizedTensor, QuantPlan
from paredown.spec.models import QuantizeStep, QuantizeWeights

IMAGES = np.random.default_rng(1).normal(size=(16, 2, 6, 6)).astype(np.float32)
HALF = QuantPlan(mode="fp16", target="portable", points=())


def weights_plan(model, bits, mode="weight_only", **options):
    step = QuantizeStep(mode=mode, weights=QuantizeWeights(bits=bits, **options))
    return make_plan(model, {}, step, "portable")


@pytest.mark.parametrize("mode", ["weight_only", "dynamic"])
@pytest.mark.parametrize(("bits", "share"), [(8, 1 / 4), (4, 1 / 8), (2, 1 / 16), (1, 1 / 32)])
def test_weights_take_their_bits_on_disk(mode, bits, share):
    model = network("residual", width=192)
    file = write_quantized(model, weights_plan(model, bits, mode))
    assert parameters(file) == parameters(model)
    # Scales, biases, names, nodes, and the table of binary weights.
    assert share < weight_bytes(file) / weight_bytes(model) < share + 0.01
    assert file.ByteSize() / model.ByteSize() < share + 0.015
    assert weight_bytes(file) < file.ByteSize()


def test_a_binary_channel_of_zeros_gives_its_bias_alone_in_the_runtime():
    model = network("residual")
    layer = model.graph.node[-1].input[1].removesuffix(".weight")
    known = constants(model.graph)
    weight, bias = array_of(known[f"{layer}.weight"]).copy(), array_of(known[f"{layer}.bias"])
    weight[1] = 0
    model = with_arrays(model, {f"{layer}.weight": weight})
    found = run(write_quantized(model, weights_plan(model, 1)), IMAGES)
    np.testing.assert_allclose(found[:, 1], bias[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("bits", "symmetric"), [(8, True), (8, False), (4, True), (4, False), (2, True), (1, True)], ids=str
)
@pytest.mark.parametrize(
    "granularity",
    [{}, {"granularity": "tensor"}, {"granularity": "group", "group_size": 4}],
    ids=["channel", "tensor", "group"],
)
@pytest.mark.parametrize("mode", ["weight_only", "dynamic"])
def test_zeros_are_counted_in_packed_weights(bits, symmetric, granularity, mode):
    model = network("depthwise")
    plan = weights_plan(model, bits, mode, symmetric=symmetric, **granularity)
    known, tensors = (
        constants(model.graph),
        {point.layer: point.tensor for point in plan.points if point.port == "weight"},
    )
    weights = [fake_quantize(array_of(known[f"{layer}.weight"]), tensor) for layer, tensor in tensors.items()]
    zeros = sum(int(np.count_nonzero(values == 0)) for values in weights)
    assert sparsity(write_quantized(model, plan)) == zeros / sum(values.size for values in weights)


@pytest.mark.parametrize(
    ("data_type", "low", "high"), [(TensorProto.INT4, -8, 7), (TensorProto.UINT4, 0, 15), (INT2, -2, 1)]
)
@pytest.mark.parametrize("count", [1, 5, 8])
def test_packing_is_undone_by_unpacking(data_type, low, high, count):
    integers = np.random.default_rng(0).integers(low, high + 1, (count, 3)).astype(np.int8)
    np.testing.assert_array_equal(unpack(packed_tensor("w", integers, data_type)), integers)


@pytest.mark.parametrize(("bits", "integers"), [(1, [1, -1, -1, 1, 1, 1, -1, -1, 1]), (2, [1, 0, -1, -1, 1])])
def test_the_table_says_what_bytes_hold(bits, integers):
    data = np.frombuffer(pack(np.array(integers, np.int8), bits), np.uint8)
    assert len(data) == 2
    np.testing.assert_array_equal(byte_table(bits)[data].reshape(-1)[: len(integers)], integers)


def test_the_installed_onnx_runtime_takes_2_bit_integers_and_a_runtime_that_says_nothing_gets_bytes(runtime):
    assert runtime_takes_int2()
    assert ternary_storage(runtime) == "int2"
    assert ternary_storage(object()) == "packed"


@pytest.mark.parametrize("error", ["Fail", "InvalidGraph", "InvalidProtobuf", "NotImplemented"])
def test_a_runtime_that_refuses_2_bit_integers_gets_bytes(monkeypatch, runtime, error):
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as failures

    def refuse(*_, **__):
        raise getattr(failures, error)("2-bit integers")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    runtime_takes_int2.cache_clear()
    model = network("residual")
    try:
        file = write_quantized(model, weights_plan(model, 2), ternary=ternary_storage(runtime))
    finally:
        runtime_takes_int2.cache_clear()
    kinds = {tensor.name: tensor.data_type for tensor in file.graph.initializer}
    assert kinds["a.weight"] == TensorProto.UINT8


def test_names_say_weights_and_then_activations():
    def plan(mode, bits, activations=8):
        def tensor(width):
            return QuantizedTensor(bits=width, qmin=-1, qmax=1, scale=(1.0,), zero_point=(0,))

        points = (
            QuantizationPoint(layer="a", port="weight", tensor=tensor(bits)),
            QuantizationPoint(layer="a", port="input", tensor=tensor(activations)),
        )
        return QuantPlan(mode=mode, target="portable", points=points[:1] if mode == "weight_only" else points)

    names = [precision_of(plan("static", bits)) for bits in (8, 4, 2, 1)]
    assert names == ["int8", "int4", "ternary", "binary"]
    assert precision_of(plan("qat", 8, 16)) == "int8-a16"
    assert precision_of(plan("static", 4, 4)) == "int4-a4"
    assert precision_of(plan("dynamic", 8)) == "int8-dynamic"
    assert precision_of(plan("weight_only", 4)) == "int4-weights"
    assert precision_of(HALF) == "fp16"
    assert precision_of(HALF.model_copy(update={"mode": "static"})) == "fp32"


@pytest.mark.parametrize("kind", ["residual", "depthwise"])
def test_half_precision_stays_near_float(kind):
    model = network(kind)
    file = write_quantized(model, HALF)
    onnx.checker.check_model(file, full_check=True)
    expected = run(model, IMAGES)
    assert np.abs(run(file, IMAGES) - expected).max() < 2e-3 * np.abs(expected).max()


def test_half_precision_halves_the_file():
    model = network("residual", width=128)
    file = write_quantized(model, HALF)
    assert weight_bytes(file) * 2 == weight_bytes(model)
    assert file.ByteSize() < 0.51 * model.ByteSize()


def test_half_precision_leaves_a_layer_in_float():
    file = write_quantized(network("residual"), HALF.model_copy(update={"left_float": {"b": "asked for"}}))
    kinds = {tensor.name: tensor.data_type for tensor in file.graph.initializer}
    (node,) = [one for one in file.graph.node if one.op_type == "Conv" and one.input[1].startswith("b.weight")]
    assert [kinds[name] for name in node.input[1:]] == [TensorProto.FLOAT] * 2
    assert kinds["a.weight"] == TensorProto.FLOAT16


@pytest.mark.parametrize(
    ("value", "message"), [(1e5, "beyond the range"), (np.nan, "not finite"), (np.inf, "not finite")]
)
def test_a_weight_that_half_precision_cannot_hold_is_named(value, message):
    weight = np.full((3, 3, 3, 3), value, np.float32)
    with pytest.raises(DataError, match=message) as caught:
        write_quantized(with_arrays(network("residual"), {"b.weight": weight}), HALF)
    assert caught.value.problems[0].where == "b.weight"
