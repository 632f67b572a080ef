"""Arrays and names that everything else is written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.floating[Any]]
    IntArray = npt.NDArray[np.integer[Any]]
    Array = npt.NDArray[Any]
    Outputs = FloatArray | tuple[FloatArray, ...]
else:
    # Plugins' entry points read this module, and must not pay for NumPy to do so.
    Array = FloatArray = IntArray = Outputs = Any

Model = Any
"""A network of some framework. Core hands it from hook to hook and never looks inside."""

State = Mapping[str, "Array"]
"""Neutral parameter and buffer names to arrays, in torch's names and layouts (Linear weights are [out, in])."""

Split = Literal["train", "validation", "test"]

Axis = tuple[str, int]
"""A parameter's neutral name and one of its axes, in torch's layout."""

PointKey = tuple[str, str, int]
"""A quantization point's layer, port and call index."""

LossFunction = Callable[[Any, Any, Any, Mapping[str, Any]], Any]
"""A backend's own loss: takes the student's output or tuple of outputs, the teacher's or None, the labels and the
options of its kind; returns a scalar of the framework. A loss that reads features takes two equally long lists of
layers' outputs; one whose term is `guided` a list, and a pair of a list and all that the teacher returned."""

Batch = tuple["FloatArray", "Array"] | tuple["FloatArray", "Array", "FloatArray"]
"""Images (float32, NCHW) and labels; where core has it the teacher's output, float32 (of several the first).

Labels are one array with the batch first: int64, or structured. Losses take whole numbers as tensors of the framework,
and structured labels as they are, in NumPy."""
