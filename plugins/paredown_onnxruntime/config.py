"""The options of the runtime."""

from __future__ import annotations

from typing import Literal

from paredown.spec.base import ComponentConfig


class OnnxRuntimeConfig(ComponentConfig):
    """ONNX Runtime on the CPU."""

    kind: Literal["onnxruntime"] = "onnxruntime"
