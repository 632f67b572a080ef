"""Biases in the file: 32-bit integers beside 8-bit weights, else floats that the runtime may make integers of."""

from __future__ import annotations

import numpy as np

from paredown.deploy.integer_biases import fits
from paredown.deploy.places import Call
from paredown.deploy.writing.graph_file import GraphFile
from paredown.deploy.writing.weights import scales
from paredown.plan import QuantizedTensor


class BiasWriter:
    """Writes the biases of layers whose input has a scale."""

    def __init__(self, file: GraphFile) -> None:
        self._file = file

    def dequantized(self, call: Call, tensor: QuantizedTensor, source: QuantizedTensor) -> str:
        """A bias that fits as 32-bit integers, dequantized; `source` is how the layer's input is quantized."""
        # A layer that is called twice has two inputs, and so two scales for one bias.
        stem = str(call.bias) if call.index == 0 else f"{call.bias}_{call.index}"
        bias = self._file.array(str(call.bias))
        scale = np.float32(source.scale[0]) * scales(tensor, bias.shape)
        integers = np.rint(bias.astype(np.float64) / scale.astype(np.float64))
        self._file.constant(stem, integers.astype(np.int32))
        inputs = [stem, self._file.constant(f"{stem}_s", scale)]
        axis = {} if tensor.axis is None else {"axis": tensor.axis}
        return self._file.append("DequantizeLinear", inputs, f"{stem}_d", **axis)

    def fits(self, call: Call, tensor: QuantizedTensor, source: QuantizedTensor, factor: int) -> bool:
        """Whether a bias may stand at its layer, as integers or as floats.

        Of floats the runtime makes integers by itself, in units of the product's scale by `factor`, and without a
        bound: where these are tiny it overflows.
        """
        if tensor.group_size is not None:
            return True
        unit = source.scale[0] * np.asarray(tensor.scale, dtype=np.float64) / factor
        return fits(self._file.array(str(call.bias)), unit)

    def copy_and_add(self, call: Call, inputs: list[str]) -> None:
        """The layer without its bias, and a float addition after it."""
        output = call.node.output[0]
        bias = self._file.array(str(call.bias))
        if call.node.op_type == "Conv":
            rank = self._file.array(call.weight).ndim
            bias = bias.reshape(-1, *[1] * (rank - 2))
        self._file.copy(call.node, inputs[:2], f"{output}_w")
        self._file.append("Add", [f"{output}_w", self._file.constant(str(call.bias), bias)], output)
