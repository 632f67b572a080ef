"""Setting the weights to zero that a plan of masks names."""

from __future__ import annotations

from typing import Any

from paredown.algorithms.masks import unpack
from paredown.contracts import Outcome
from paredown.plan import MaskPlan
from paredown_paddle.masks import apply_masks, masked_tensors


def set_zeros(model: Any, plan: MaskPlan) -> Outcome:
    """Puts zeros into the network in place; no mask stays behind in it.

    The evidence counts `zeros` and `elements` of the parameters that have a mask.

    Raises:
        PlanError: When a mask has no parameter of its name and shape; nothing is changed then.
    """
    masks = {mask.parameter: unpack(mask) for mask in plan.masks}
    masked = masked_tensors(model, masks)
    apply_masks(masked)
    zeros = sum(int((slot.tensor == 0).sum()) for slot, _ in masked)
    return Outcome(model, {"zeros": zeros, "elements": sum(int(mask.size) for mask in masks.values())})
