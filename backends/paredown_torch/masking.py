"""Masks: setting single weights to zero, once by a plan or again after every step of a training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from paredown.algorithms.masks import unpack
from paredown.contracts import Array, Masking, Outcome
from paredown.errors import PlanError
from paredown.plan import MaskPlan
from paredown_torch import model as networks


def apply_plan(model: nn.Module, plan: MaskPlan) -> Outcome:
    """Sets to zero, in place, what the plan's masks do not keep; nothing of the masks stays in the network.

    The evidence counts the masked parameters' `elements`, and how many of them are `zeros` now.

    Raises:
        PlanError: A mask does not fit the network, which is then unchanged.
    """
    masks = {mask.parameter: unpack(mask) for mask in plan.masks}
    set_to_zero(removed_weights(model, masks))
    parameters = dict(model.named_parameters())
    zeros = sum(int((parameters[name] == 0).sum()) for name in masks)
    return Outcome(model, {"elements": sum(mask.size for mask in masks.values()), "zeros": zeros})


class HeldMasks:
    """Holds weights at zero while a network trains; asks `Masking` when its masks change."""

    def __init__(self, model: nn.Module, masking: Masking) -> None:
        """Sets to zero what the masks of the start do not keep.

        Raises:
            PlanError: A mask does not fit the network.
        """
        self._model = model
        self._masking = masking
        self._removed = removed_weights(model, masking.masks())
        self.hold()

    def before_step(self, step: int) -> None:
        """Takes new masks where they change before this step, counted over the whole training."""
        if self._masking.is_due(step):
            self._removed = removed_weights(self._model, self._masking.update(step, networks.save(self._model)))
            self.hold()

    def hold(self) -> None:
        """Sets the masked weights to zero, whatever momentum and weight decay made of them."""
        set_to_zero(self._removed)


Removed = list[tuple[nn.Parameter, torch.Tensor]]
"""Parameters, each with a boolean tensor on its device, True for the elements that become zero."""


def removed_weights(model: nn.Module, masks: Mapping[str, Array]) -> Removed:
    """The elements that masks do not keep.

    Args:
        model: The network; it is not changed.
        masks: Parameter names to boolean arrays of the parameters' shapes, True for what stays.

    Raises:
        PlanError: A name is no parameter, or a mask has another shape.
    """
    parameters = dict(model.named_parameters())
    removed: Removed = []
    for name, mask in masks.items():
        found = parameters.get(name)
        if found is None or tuple(found.shape) != mask.shape:
            raise PlanError(
                "the mask does not fit this network",
                where=name,
                value="no parameter of this name" if found is None else f"shape {tuple(found.shape)}",
                expected=f"shape {mask.shape}",
                remedy="replay the plan on the network that it was made for, after the plans before it",
            )
        gone = torch.from_numpy(np.logical_not(mask))
        removed.append((found, gone.to(found.device)))
    return removed


@torch.no_grad()
def set_to_zero(removed: Removed) -> None:
    """Fills the elements with zero; a product would keep the sign of a zero, and a NaN."""
    for parameter, gone in removed:
        parameter.masked_fill_(gone, 0.0)
