"""Which biases are 32-bit integers in the file, and what they fit.

They have no scale of their own: it is the input's times the weight's, so that the integer sum needs no shift (Jacob et
al., 2018, section 2.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

LARGEST = 2**30
"""In units of the product's scale; this leaves as much room again for the products that are added to it."""
ROUNDING = 1 + 2**-20
"""A weight's scale that is just wide enough for its bias is rounded to float32."""


def has_integer_bias(bits: int, group_size: int | None) -> bool:
    """Whether a layer whose input has a scale has an integer bias, given how its weight is quantized."""
    return bits == 8 and group_size is None


def absmax_for(bias: FloatArray, input_scale: float, qmax: int) -> FloatArray:
    """[out], float64: the absmax of a weight with symmetric integers up to `qmax` whose scale is just wide enough."""
    return np.abs(bias.astype(np.float64)) / (input_scale * LARGEST) * qmax


def fits(bias: FloatArray, unit: FloatArray) -> bool:
    """Whether all of a bias fits 32 bits in these units, [out] or [1]: those of the product."""
    return bool(np.all(np.abs(bias.astype(np.float64)) <= unit.astype(np.float64) * (LARGEST * ROUNDING)))
