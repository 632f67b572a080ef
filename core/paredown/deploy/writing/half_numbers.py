"""Numbers as 16-bit floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paredown.errors import DataError

if TYPE_CHECKING:
    from paredown.contracts import Array, FloatArray

LARGEST = float(np.finfo(np.float16).max)


def to_half(values: FloatArray, name: str, *, is_bound: bool = False) -> Array:
    """Float32 numbers rounded to float16, to nearest.

    Args:
        values: The numbers.
        name: Their tensor, for errors.
        is_bound: Numbers that only bound others may become infinite.

    Raises:
        DataError: A number is not finite, or is beyond 65504 and would become infinite.
    """
    if not is_bound and not np.all(np.isfinite(values)):
        raise DataError(
            "a tensor to write as 16-bit floats is not finite",
            where=name,
            expected="finite numbers",
            remedy="look for a training that diverged",
        )
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    if not is_bound and not np.all(np.isfinite(halves)):
        raise DataError(
            "a tensor goes beyond the range of 16-bit floats",
            where=name,
            value=float(np.abs(values).max()),
            expected=f"at most {LARGEST:.0f}",
            remedy="leave its layer in float with `protect`, or choose another mode",
        )
    return halves
