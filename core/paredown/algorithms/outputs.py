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


class Differences:
    """How far outputs are from those that are expected, batch by batch; NaN where a value is none.

    Attributes:
        greatest: Of each output the greatest absolute difference.
        scales: Of each output the greatest absolute value that is expected.
    """

    def __init__(self) -> None:
        """Begins with nothing seen."""
        self.greatest: FloatArray = np.zeros(0)
        self.scales: FloatArray = np.zeros(0)

    def update(self, found: Outputs, expected: Outputs) -> None:
        """Takes in a batch; both have the same outputs of the same shapes."""
        pairs = list(zip(as_tuple(found), as_tuple(expected), strict=True))
        apart = np.array([np.max(np.abs(one.astype(np.float64) - other), initial=0) for one, other in pairs])
        scales = np.array([np.max(np.abs(other), initial=0) for _, other in pairs], np.float64)
        is_first = not self.scales.size
        self.greatest = apart if is_first else np.maximum(self.greatest, apart)
        self.scales = scales if is_first else np.maximum(self.scales, scales)

    def relative(self) -> FloatArray:
        """Of each output the greatest difference by the scale; where all that is expected is zero, the difference."""
        return np.asarray(self.greatest / np.where(self.scales == 0, 1.0, self.scales))


def relative_difference(found: Outputs, expected: Outputs) -> float:
    """The greatest relative difference of all outputs, each by its own scale; NaN where a value is none."""
    differences = Differences()
    differences.update(found, expected)
    return float(np.max(differences.relative()))
