"""The figures of a network that steps compare before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paredown.algorithms import counting
from paredown.contracts import Model, State
from paredown.engine.workbench import Workbench


def size(bench: Workbench, model: Model) -> dict[str, int]:
    """Parameters and multiply-accumulates."""
    return {"params": counting.count_parameters(bench.state(model)), "macs": counting.count_macs(bench.layers(model))}


def change(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Each figure before and after."""
    return {name: {"before": before[name], "after": after[name]} for name in before}


def sparsity(state: State, parameters: Sequence[str]) -> float:
    """The share of exact zeros among the elements of these arrays."""
    total = sum(state[name].size for name in parameters)
    return sum(int(np.count_nonzero(state[name] == 0)) for name in parameters) / total if total else 0.0


def unchanged(before: State, after: State) -> bool:
    """Whether two states hold the same numbers."""
    return before.keys() == after.keys() and all(np.array_equal(before[name], after[name]) for name in before)
