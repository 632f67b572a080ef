"""From a canonical graph to the groups of its network."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from paredown.algorithms.groups import GroupSet
from paredown.contracts import Fold, State
from paredown.deploy.coupling.assemble import assemble
from paredown.deploy.coupling.operators import HANDLERS
from paredown.deploy.coupling.trace import Trace, follow


def find_groups(model: onnx.ModelProto, state: State, folds: Sequence[Fold]) -> GroupSet:
    """Finds the groups of coupled channels of a network.

    Args:
        model: The canonical graph, BatchNorm folded; initializers carry neutral names.
        state: The arrays of the network before folding, in torch's layout and the order of definition.
        folds: The BatchNorm layers that were folded, and what they were folded into.

    Returns:
        The groups that may be cut, by the order of their names in the state; every convolution and linear layer whose
        outputs are in none of them is named with the reason.

    Raises:
        ModelError: The graph and the arrays are not of one network.
    """
    trace = follow(model, state, HANDLERS)
    _unfold(trace, folds)
    return assemble(trace)


def _unfold(trace: Trace, folds: Sequence[Fold]) -> None:
    """Gives folded BatchNorm layers the channels of the layers that they were folded into."""
    parameters = trace.parameters
    for fold in folds:
        axes = [axis for axis in parameters.labels if axis[0] == f"{fold.layer}.weight"]
        for axis in axes:
            if parameters.roles[axis] == "output":
                parameters.bind_affine(fold.batch_norm, parameters.labels[axis])
