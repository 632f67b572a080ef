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
else:
    # Plugins' entry points read this module, and must not pay for NumPy to do so.
    Array = FloatArray = IntArray = Any

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
"""A backend's own loss: takes the student's outputs, the teacher's or None, the labels and the options of its kind;
returns a scalar of the framework. A loss that reads features takes two equally long lists of layers' outputs."""

Batch = tuple["FloatArray", "IntArray"] | tuple["FloatArray", "IntArray", "FloatArray"]
"""Images (float32, NCHW) and labels (as the data gives them); where core has them the teacher's outputs, float32."""
