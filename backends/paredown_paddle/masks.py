"""Holding single weights at zero."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.contracts import Array, Masking
from paredown.errors import PlanError
from paredown_paddle.framework import paddle
from paredown_paddle.model import save
from paredown_paddle.names import Slot, tensors


def masked_tensors(model: Any, masks: Mapping[str, Array]) -> list[tuple[Slot, Any]]:
    """Each masked parameter's place with its mask on the device, in Paddle's layout.

    Args:
        model: The network.
        masks: Neutral names to boolean arrays in torch's layout, True for what stays.

    Raises:
        PlanError: When a mask has no parameter of its name and shape; nothing is changed then.
    """
    slots = tensors(model)
    for name, mask in masks.items():
        _check(name, mask, slots)
    return [(slots[name], _on_device(slots[name], mask)) for name, mask in masks.items()]


def apply_masks(masked: list[tuple[Slot, Any]]) -> None:
    """Puts zero where a mask does not keep, in place: plain zero, because a product leaves half of them negative."""
    with paddle.no_grad():
        for slot, mask in masked:
            tensor = slot.tensor
            paddle.assign(paddle.where(mask, tensor, paddle.zeros_like(tensor)), output=tensor)


class Holder:
    """Holds the masks of a training in force; without masking it does nothing."""

    def __init__(self, model: Any, masking: Masking | None) -> None:
        self.model, self.masking = model, masking
        self.masked = [] if masking is None else masked_tensors(model, masking.masks())
        self.hold()

    def before_step(self, step: int) -> None:
        """Renews the masks where they are due before a step, counted from zero over the whole training."""
        if self.masking is not None and self.masking.is_due(step):
            self.masked = masked_tensors(self.model, self.masking.update(step, save(self.model)))
            self.hold()

    def hold(self) -> None:
        """Puts zeros back: momentum and weight decay have moved them."""
        apply_masks(self.masked)


def _on_device(slot: Slot, mask: Array) -> Any:
    own = np.ascontiguousarray(mask.T if slot.transposed else mask, dtype=bool)
    return paddle.to_tensor(own, place=slot.tensor.place)


def _check(name: str, mask: Array, slots: Mapping[str, Slot]) -> None:
    if name in slots and slots[name].shape == tuple(mask.shape):
        return
    near = difflib.get_close_matches(name, list(slots), n=1)
    raise PlanError(
        "a mask does not fit this network",
        where=name,
        value=f"a mask of shape {tuple(mask.shape)}",
        expected=f"shape {slots[name].shape}"
        if name in slots
        else f"a parameter such as {near[0] if near else 'none'}",
        remedy="replay the plan on the network that it was made for, after the plans before it",
    )
