"""What a file holds."""

from __future__ import annotations

from paredown.deploy.inspect import macs, parameters, weight_bytes


def test_parameters_and_bytes_of_the_float_file(canonical, state):
    count = sum(values.size for values in state.values())
    assert parameters(canonical) == count
    assert weight_bytes(canonical) == 4 * count


def test_the_integer_file_holds_the_same_parameters_in_fewer_bytes(quantized, canonical):
    model = quantized[1]
    assert parameters(model) == parameters(canonical)
    assert weight_bytes(model) == sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    assert weight_bytes(model) < weight_bytes(canonical)


def test_macs_are_counted_by_hand(canonical, quantized):
    # conv1: 4*2*9 weights at 6x6; conv2: 4*4*9 at 3x3; fc: 3*4
    assert macs(canonical) == macs(quantized[1]) == 72 * 36 + 144 * 9 + 12
