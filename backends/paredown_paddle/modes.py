"""Evaluation mode for a while, and copies to measure on: the network is left as it was, layer by layer."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

from paredown_paddle.framework import paddle


@contextlib.contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Puts a network into evaluation mode and afterwards each of its layers back into the mode that it was in."""
    modes = [(layer, layer.training) for layer in model.sublayers(include_self=True)]
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


def measured_copy(model: Any, input_shape: tuple[int, int, int]) -> tuple[Any, str]:
    """A copy to measure on, in evaluation mode, and the dtype that it computes in.

    That is float64, in which both frameworks find the same numbers: float32's rounding puts a value that lies on
    the kink of a ReLU to different sides. A network that cannot compute in float64 is measured in float32.
    """
    copied = copy.deepcopy(model)
    copied.eval()
    try:
        doubled = copy.deepcopy(copied).to(dtype="float64")
        with paddle.no_grad():
            doubled(paddle.zeros([1, *input_shape], dtype="float64"))
    except (RuntimeError, TypeError, ValueError):
        return copied, "float32"
    return doubled, "float64"
