"""From a quantization plan to the file that is deployed: real integers, really packed.

`static` and `qat` become QuantizeLinear and DequantizeLinear (QDQ), `dynamic` becomes DynamicQuantizeLinear with
ConvInteger and MatMulInteger, `weight_only` dequantizes weights before float layers, `fp16` is a network of 16-bit
floats.
"""

from __future__ import annotations

import onnx

from paredown.deploy.writing.dynamic import write_dynamic
from paredown.deploy.writing.half import write_half
from paredown.deploy.writing.precision import precision_of
from paredown.deploy.writing.qdq import write_qdq
from paredown.deploy.writing.storage import TernaryStorage
from paredown.deploy.writing.weight_only import write_weight_only
from paredown.plan import QuantPlan

__all__ = ["precision_of", "write_quantized"]


def write_quantized(model: onnx.ModelProto, plan: QuantPlan, *, ternary: TernaryStorage = "packed") -> onnx.ModelProto:
    """The network as the plan says; the plan, the network and `ternary` determine the file byte for byte.

    Args:
        model: The canonical float network; it is left as it is.
        plan: Points for this network, as `points.make_plan` makes them.
        ternary: How ternary weights are stored: `int2`, an ONNX type that needs opset 25, or `packed` into bytes that
            any runtime of opset 21 reads; `runtimes.ternary_storage` says what a runtime takes.

    Returns:
        The network with quantized weights, without their floats.

    Raises:
        PlanError: A point is missing, or its scales do not fit the network.
        DataError: In `fp16`, a number is not finite or beyond the range of 16-bit floats.
    """
    if plan.mode == "fp16":
        return write_half(model, plan)
    if plan.mode == "dynamic":
        return write_dynamic(model, plan, ternary)
    if plan.mode == "weight_only":
        return write_weight_only(model, plan, ternary)
    return write_qdq(model, plan, ternary)
