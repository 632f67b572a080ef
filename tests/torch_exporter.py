"""Torch's exporter parses the sources of its five hundred operators for each file, which is half of a small export."""

from __future__ import annotations

import functools


def keep_operators() -> None:
    """Lets this process read the operators once: they are the same for every export."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
