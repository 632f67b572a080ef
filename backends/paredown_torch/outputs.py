"""What networks return: one tensor, or a tuple of several."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from paredown.algorithms.outputs import one_or_all
from paredown.contracts import Array, Outputs
from paredown.errors import ModelError

Returned = torch.Tensor | tuple[torch.Tensor, ...]


def as_tensors(returned: Any) -> tuple[torch.Tensor, ...]:
    """All that a network returned, in its order.

    Raises:
        ModelError: It is neither a tensor nor a tuple of tensors.
    """
    found = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    if found and all(isinstance(one, torch.Tensor) for one in found):
        return found
    raise ModelError(
        "the network returns neither a tensor nor a tuple of tensors",
        value=type(returned).__name__,
        expected="one tensor with the batch first, or a tuple of them",
        remedy="wrap the network in a module whose forward returns its tensors as a tuple",
    )


def as_arrays(returned: Any) -> Outputs:
    """Copies on the host, float32: one array, or a tuple of several."""
    return one_or_all([one.detach().cpu().to(torch.float32).numpy() for one in as_tensors(returned)])


def as_returned(returned: Any) -> Returned:
    """All that a network returned: one tensor, or a tuple of several; raises `ModelError` as `as_tensors`."""
    found = as_tensors(returned)
    return found[0] if len(found) == 1 else found


def targets(labels: Array, like: torch.Tensor) -> torch.Tensor | Array:
    """Labels where a tensor is: whole numbers as int64, other numbers, for a caller's own loss, in its dtype.

    Structured ones stay in NumPy, for losses that ask core for their targets.
    """
    if labels.dtype.names:
        return labels
    if labels.dtype.kind == "f":
        return torch.from_numpy(np.ascontiguousarray(labels)).to(like)
    return torch.from_numpy(np.ascontiguousarray(labels, dtype=np.int64)).to(like.device)
