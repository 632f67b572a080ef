"""How wide the integers of weights really are: a target may leave levels of an 8-bit integer unused."""

from __future__ import annotations

from collections import Counter
from math import log2
from typing import Any

from paredown.plan import QuantizedTensor, QuantPlan


def effective_bits(plan: QuantPlan) -> dict[str, Any]:
    """The evidence `effective_bits` of a plan's weights; nothing for a plan without integers.

    It holds `target` and `integers`, an entry for each range, that of most layers first. An entry has `range` (smallest
    and greatest integer), `levels` (how many integers a weight may take), `bits` (their logarithm to base 2, to two
    digits) and `layers` (how many layers have it).
    """
    tensors = [point.tensor for point in plan.points if point.port == "weight"]
    counts = Counter((one.qmin, one.qmax, _levels(one)) for one in tensors)
    if not counts:
        return {}
    integers = [
        {"range": [low, high], "levels": levels, "bits": round(log2(levels), 2), "layers": layers}
        for (low, high, levels), layers in counts.most_common()
    ]
    return {"effective_bits": {"target": plan.target, "integers": integers}}


def _levels(tensor: QuantizedTensor) -> int:
    """Binary weights are -1 or 1, and never 0."""
    return 2 if tensor.bits == 1 else tensor.qmax - tensor.qmin + 1
