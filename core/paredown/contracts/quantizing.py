"""Observers of calibration, and corrections after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from paredown.contracts.arrays import Array, FloatArray
from paredown.plan import QuantizedTensor, QuantPlan


class Observer(Protocol):
    """Watches one tensor during calibration, in constant memory.

    It is made as `implementation(options, bits=8, symmetric=False)`: the options of its kind, and how the tensor will
    be quantized. An observer may say in an attribute `statistics` that it needs less than whole batches, and is then
    faster: `values` takes each batch in several parts, and its result must not depend on how values are grouped;
    `extremes` is given a few of a batch's values, with its greatest and (or 0, where none is negative) its smallest.
    """

    def update(self, values: FloatArray) -> None:
        """Takes one more batch of the tensor's values, float32, [images, ...].

        Raises:
            DataError: A value is NaN or infinite.
        """
        ...

    def range(self) -> tuple[float, float]:
        """The smallest and greatest value to represent, minimum first; (0, 0) only where every value was zero.

        Raises:
            DataError: Nothing was observed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction changed: arrays of the folded network, by neutral name, and scales that must stay.

    `weights` are the quantized tensors of layers whose weights were made for these scales (layer name to tensor).
    `evidence` are plain facts about what was done and what was left as it is (JSON values). `same_function` says that
    the float network computes the same with these arrays, as after equalization.
    """

    arrays: Mapping[str, Array]
    weights: Mapping[str, QuantizedTensor] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    same_function: bool = False


@dataclass(frozen=True, slots=True)
class CorrectionRun:
    """What a correction works on, all neutral.

    `graph` is the canonical network (an `onnx.ModelProto`) as corrections before this one left it. `images()` yields
    the calibration batches again each time that it is called. `plan(graph, fixed)` makes the quantization plan of a
    graph with changed arrays, where `fixed` are tensors of weights that must stay. `reference` is the float network
    without those of the changes that do not compute the same (None: `graph`), and `changed` are these arrays.
    """

    graph: Any
    images: Callable[[], Iterator[FloatArray]]
    plan: Callable[[Any, Mapping[str, QuantizedTensor]], QuantPlan]
    seed: int = 0
    reference: Any = None
    changed: Mapping[str, Array] = field(default_factory=dict)

    @property
    def target(self) -> Any:
        """The float network whose outputs the quantized one is to come near."""
        return self.graph if self.reference is None else self.reference
