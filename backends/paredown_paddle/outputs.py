"""What networks return: one tensor, or a tuple of several."""

from __future__ import annotations

from typing import Any

import numpy as np

from paredown.algorithms.outputs import one_or_all
from paredown.contracts import Array, Outputs
from paredown.errors import ModelError
from paredown_paddle.framework import paddle


def as_tensors(returned: Any) -> tuple[Any, ...]:
    """All that a network returned, in its order.

    Raises:
        ModelError: It is neither a tensor nor a tuple of tensors.
    """
    found = tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
    if found and all(isinstance(one, paddle.Tensor) for one in found):
        return found
    raise ModelError(
        "the network returns neither a tensor nor a tuple of tensors",
        value=type(returned).__name__,
        expected="one tensor with the batch first, or a tuple of them",
        remedy="wrap the network in a Layer whose forward returns its tensors as a tuple",
    )


def as_arrays(returned: Any) -> Outputs:
    """Copies on the host, float32: one array, or a tuple of several."""
    return one_or_all([one.numpy().astype(np.float32, copy=False) for one in as_tensors(returned)])


def as_returned(returned: Any) -> Any:
    """All that a network returned: one tensor, or a tuple of several; raises `ModelError` as `as_tensors`."""
    found = as_tensors(returned)
    return found[0] if len(found) == 1 else found


def targets(labels: Array, dtype: str) -> Any:
    """Labels as a tensor: whole numbers as int64, other numbers, for a caller's own loss, in the dtype of the loop.

    Structured ones stay in NumPy, for losses that ask core for their targets.
    """
    if labels.dtype.names:
        return labels
    kind = dtype if labels.dtype.kind == "f" else "int64"
    return paddle.to_tensor(np.ascontiguousarray(labels), dtype=kind)
