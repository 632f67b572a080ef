"""What networks return: one array, or a tuple of several; each has the batch on its first axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from paredown.contracts import Array, FloatArray, LossFunction, Outputs

Shapes = tuple[tuple[int, ...], ...]
"""The shape of each output, with the batch axis."""


def as_tuple(outputs: Outputs) -> tuple[FloatArray, ...]:
    """All outputs, in the network's order; a network with one output gives one."""
    return outputs if isinstance(outputs, tuple) else (outputs,)


def one_or_all(outputs: Sequence[Array]) -> Outputs:
    """The array where there is one, a tuple where there are several."""
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def first(outputs: Outputs) -> FloatArray:
    """The first output: of a network with several the logits."""
    return as_tuple(outputs)[0]


def on_first(loss: LossFunction) -> LossFunction:
    """A loss on the first output of both networks, arrays or tensors of a framework."""

    def first_alone(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:
        return loss(first(student), None if teacher is None else first(teacher), labels, options)

    return first_alone


def shapes(outputs: Outputs) -> Shapes:
    """The shape of each output."""
    return tuple(tuple(output.shape) for output in as_tuple(outputs))


def concatenated(pieces: Sequence[Outputs]) -> Outputs:
    """The outputs for several batches, one after the other."""
    columns = zip(*(as_tuple(piece) for piece in pieces), strict=True)
    return one_or_all([np.concatenate(column) for column in columns])


def fault(outputs: Outputs) -> str | None:
    """Which output is not finite, and in how many values; None where all are numbers.

    Metrics order outputs, and NaN has no place in an order: the first class would be found everywhere.
    """
    counts = [int(np.count_nonzero(~np.isfinite(output))) for output in as_tuple(outputs)]
    wrong = [index for index, count in enumerate(counts) if count]
    return f"output {wrong[0]}: {counts[wrong[0]]} values are NaN or infinite" if wrong else None


def of_each(change: Callable[..., Array], *outputs: Outputs) -> Outputs:
    """A function applied to every output, or to the outputs of several networks that stand at the same place."""
    return one_or_all([change(*column) for column in zip(*(as_tuple(one) for one in outputs), strict=True)])


def relative_differences(found: Outputs, expected: Outputs) -> tuple[float, ...]:
    """For each output the greatest absolute difference, by the greatest absolute expected value of that output.

    Where all that is expected is zero, the difference itself.
    """
    pairs = zip(as_tuple(found), as_tuple(expected), strict=True)
    return tuple(_relative(one, other) for one, other in pairs)


def relative_difference(found: Outputs, expected: Outputs) -> float:
    """The greatest of `relative_differences`; NaN where a value is none."""
    return float(np.max(relative_differences(found, expected)))


def _relative(found: FloatArray, expected: FloatArray) -> float:
    scale = float(np.max(np.abs(expected))) or 1.0
    return float(np.max(np.abs(found.astype(np.float64) - expected))) / scale
