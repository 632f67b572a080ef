"""Quantized activations in the file: which integers hold them, and where the runtime must cut their range.

ONNX Runtime has integer kernels for unsigned 8-bit activations alone on x86, so all of up to 8 bits are written as
UINT8; symmetric integers are moved up by half the range, which changes no value. Where the plan's range is narrower
than the type's, the integers are cut by a Clip between QuantizeLinear and DequantizeLinear, and the activation function
before them, which cuts too, is folded into it: the same numbers, and no float operator between two integer kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto

from paredown.algorithms.quantizing import quantize
from paredown.deploy.writing.graph_file import GraphFile
from paredown.plan import QuantizedTensor

if TYPE_CHECKING:
    from paredown.contracts import FloatArray


@dataclass(frozen=True, slots=True)
class Stored:
    """The integers that stand for an activation in the file: those of the plan plus `shift`, from `low` to `high`."""

    dtype: np.dtype[np.integer[Any]]
    zero_point: int
    shift: int
    low: int
    high: int

    @property
    def is_narrow(self) -> bool:
        """Whether the type holds integers beyond the range."""
        limits = np.iinfo(self.dtype)
        return self.low > limits.min or self.high < limits.max


def stored(tensor: QuantizedTensor) -> Stored:
    """How a calibrated activation of 16, 8 or 4 bits stands in the file."""
    shift = 2 ** (tensor.bits - 1) if tensor.qmin < 0 and tensor.bits <= 8 else 0
    name = "uint8" if tensor.bits <= 8 else "uint16" if tensor.qmin >= 0 else "int16"
    zero_point = tensor.zero_point[0] + shift
    return Stored(np.dtype(name), zero_point, shift, tensor.qmin + shift, tensor.qmax + shift)


class ActivationWriter:
    """Writes QuantizeLinear and DequantizeLinear (QDQ) after activations."""

    def __init__(self, file: GraphFile) -> None:
        self._file = file

    def quantize(
        self, name: str, tensor: QuantizedTensor, *, source: str, bounds: tuple[float, float] | None = None
    ) -> str:
        """QDQ for one tensor.

        Args:
            name: The tensor that is quantized; its integers are `<name>_q` and what is read instead `<name>_d`.
            tensor: How.
            source: The tensor that is read: `name`, or with `bounds` what flows into its activation function.
            bounds: Where the activation function cuts, if it is folded into the integers' Clip.

        Returns:
            The name of the dequantized tensor.
        """
        kind = stored(tensor)
        if kind.is_narrow and tensor.bits > 8:
            # No Clip of 16-bit integers in the runtime. In float32 the quotient is off by less than a hundredth.
            limits = [self._file.scalar(np.float32(tensor.scale[0]) * np.float32(q)) for q in _extremes(tensor)]
            source = self._file.append("Clip", [source, *limits], f"{name}_c")
        parameters = self._parameters(tensor)
        integers = f"{name}_q"
        if kind.is_narrow and tensor.bits <= 8:
            self._file.append("QuantizeLinear", [source, *parameters], f"{name}_r")
            cuts = [self._file.scalar(kind.dtype.type(at)) for at in _cuts(tensor, kind, bounds)]
            self._file.append("Clip", [f"{name}_r", *cuts], integers)
        else:
            self._file.append("QuantizeLinear", [source, *parameters], integers)
        return self._file.append("DequantizeLinear", [integers, *parameters], f"{name}_d")

    def spelled_out(self, name: str, tensor: QuantizedTensor) -> str:
        """The dequantized tensor in other operators than DequantizeLinear: (q - zero point) * scale, the same numbers.

        ONNX Runtime quantizes the float weights and biases of any convolution that reads a DequantizeLinear (its
        optimizer "WeightBiasQuantization"); layers that stay in float read this instead.
        """
        output = f"{name}_o"
        scale, _ = self._parameters(tensor)
        self._file.append("Cast", [f"{name}_q"], f"{name}_of", to=TensorProto.FLOAT)
        zero_point = self._file.scalar(np.float32(stored(tensor).zero_point))
        self._file.append("Sub", [f"{name}_of", zero_point], f"{name}_oz")
        return self._file.append("Mul", [f"{name}_oz", scale], output)

    def _parameters(self, tensor: QuantizedTensor) -> list[str]:
        kind = stored(tensor)
        scale = self._file.scalar(np.float32(tensor.scale[0]))
        return [scale, self._file.scalar(kind.dtype.type(kind.zero_point))]


def activation_bounds(node: onnx.NodeProto, known: dict[str, FloatArray]) -> tuple[float, float] | None:
    """Where a Relu or a Clip with constant bounds cuts; None for other nodes."""
    if node.op_type == "Relu":
        return 0.0, float("inf")
    if node.op_type != "Clip" or any(name and name not in known for name in node.input[1:]):
        return None
    limits = [float(known[name].item()) if name else None for name in [*node.input[1:], "", ""][:2]]
    return -np.inf if limits[0] is None else limits[0], np.inf if limits[1] is None else limits[1]


def _extremes(tensor: QuantizedTensor) -> tuple[int, int]:
    """The plan's range without its zero point."""
    return tensor.qmin - tensor.zero_point[0], tensor.qmax - tensor.zero_point[0]


def _cuts(tensor: QuantizedTensor, kind: Stored, bounds: tuple[float, float] | None) -> tuple[int, int]:
    """The lowest and the highest integer: quantizing grows with its argument, so bounds can be quantized first."""
    if bounds is None:
        return kind.low, kind.high
    low, high = (int(q) + kind.shift for q in quantize(np.asarray(bounds, dtype=np.float32), tensor))
    return low, high
