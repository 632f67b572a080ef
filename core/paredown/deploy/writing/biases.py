"""Biases in the file: 32-bit integers beside 8-bit weights, else floats that the runtime may make integers of."""

from __future__ import annotations

import numpy as np

from paredown.deploy.places import Call
from paredown.deploy.writing.graph_file import GraphFile
from paredown.deploy.writing.weights import scales
from paredown.plan import QuantizedTensor

LARGEST_BIAS = 2**30
"""In units of the product's scale; this leaves as much room again for the products that are added to it."""


class BiasWriter:
    """Writes the biases of layers whose input has a scale.

    Integer biases have no scale of their own: it is the input's times the weight's, so that the integer sum needs no
    shift (Jacob et al., 2018, section 2.4).
    """

    def __init__(self, file: GraphFile) -> None:
        self._file = file

    def is_integer(self, tensor: QuantizedTensor) -> bool:
        """Whether a weight's layer has an integer bias."""
        return tensor.bits == 8 and tensor.group_size is None

    def dequantized(self, call: Call, tensor: QuantizedTensor, source: QuantizedTensor) -> str:
        """A bias as 32-bit integers, dequantized; `source` is how the layer's input is quantized."""
        # A layer that is called twice has two inputs, and so two scales for one bias.
        stem = str(call.bias) if call.index == 0 else f"{call.bias}_{call.index}"
        bias = self._file.array(str(call.bias))
        scale = np.float32(source.scale[0]) * scales(tensor, bias.shape)
        integers = np.rint(bias.astype(np.float64) / scale.astype(np.float64))
        limits = np.iinfo(np.int32)
        self._file.constant(stem, np.clip(integers, limits.min, limits.max).astype(np.int32))
        inputs = [stem, self._file.constant(f"{stem}_s", scale)]
        axis = {} if tensor.axis is None else {"axis": tensor.axis}
        return self._file.append("DequantizeLinear", inputs, f"{stem}_d", **axis)

    def fits(self, call: Call, tensor: QuantizedTensor, source: QuantizedTensor, factor: int) -> bool:
        """Whether a float bias may stand at its layer.

        The runtime makes an integer of it by itself, in units of the product's scale by `factor`, and without a bound:
        where these are tiny it overflows.
        """
        if tensor.group_size is not None:
            return True
        bias = self._file.array(str(call.bias)).astype(np.float64)
        unit = source.scale[0] * np.asarray(tensor.scale, dtype=np.float64) / factor
        return bool(np.all(np.abs(bias) <= unit * LARGEST_BIAS))

    def copy_and_add(self, call: Call, inputs: list[str]) -> None:
        """The layer without its bias, and a float addition after it."""
        output = call.node.output[0]
        bias = self._file.array(str(call.bias))
        if call.node.op_type == "Conv":
            rank = self._file.array(call.weight).ndim
            bias = bias.reshape(-1, *[1] * (rank - 2))
        self._file.copy(call.node, inputs[:2], f"{output}_w")
        self._file.append("Add", [f"{output}_w", self._file.constant(str(call.bias), bias)], output)
