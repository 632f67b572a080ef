"""What masks have to do: remove something, and hold through every step after them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paredown.contracts import State
from paredown.engine.stepping import Masks
from paredown.errors import NoEffectError, PluginError, UnsupportedError


def nothing_removed(place: str, amount: Mapping[str, float]) -> NoEffectError:
    """The error of a pruning of single weights that removes none."""
    return NoEffectError(
        "pruning set no weight to zero that was not zero before",
        where=place,
        value=str(dict(amount)),
        expected="a ratio that removes at least one weight",
        remedy="raise `ratio`, or leave the step out",
    )


def require_held(masks: Masks, before: State, after: State, *, kind: str, owner: str, place: str) -> None:
    """Refuses what a plugin's step left of a network with masks, where they no longer hold.

    Args:
        masks: What is held at zero; empty where nothing is.
        before: The network's arrays before the step.
        after: The same after it.
        kind: The step's kind.
        owner: The plugin that owns the kind.
        place: Where the step stands in the spec.

    Raises:
        UnsupportedError: The step changed shapes: without a plan the masks cannot be cut along.
        PluginError: A masked weight is no longer zero.
    """
    if not masks:
        return
    if shapes(before) != shapes(after):
        raise UnsupportedError(
            f"the step `{kind}` changed shapes, and the masks of earlier pruning cannot follow it",
            where=place,
            value=f"{len(masks)} masked weights",
            expected="arrays of the same names and shapes while single weights are held at zero",
            remedy=f"put `{kind}` before the first pruning of single weights",
        )
    revived = {name: int(np.count_nonzero(after[name][~mask])) for name, mask in masks.items()}
    broken = [name for name, count in revived.items() if count]
    if broken:
        raise PluginError(
            f"the step `{kind}` of plugin `{owner}` gave values to weights that earlier pruning holds at zero",
            where=f"{place}, {broken[0]}",
            value=f"{sum(revived.values())} weights of {len(broken)} parameters",
            expected="weights that are zero stay zero",
            remedy=f"put `{kind}` before the pruning, or report it to the authors of `{owner}`",
        )


def require_zeros(masks: Masks, arrays: State, place: str) -> None:
    """Refuses arrays that corrections of a quantization gave, where masked weights are no longer zero in them.

    Raises:
        PluginError: Naming the first of them.
    """
    for name, mask in masks.items():
        revived = int(np.count_nonzero(arrays[name][~mask])) if name in arrays else 0
        if revived:
            raise PluginError(
                "a correction gave values to weights that earlier pruning holds at zero",
                where=f"{place}.corrections, {name}",
                value=f"{revived} weights",
                expected="weights that are zero stay zero",
                remedy="leave the correction out, or report it to its authors",
            )


def shapes(state: State) -> dict[str, tuple[int, ...]]:
    """The shape of each array by name."""
    return {name: tuple(np.shape(values)) for name, values in state.items()}
