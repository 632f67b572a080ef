"""The options of the runtime."""

from __future__ import annotations

from typing import Literal

from paredown.spec.base import ComponentConfig


class OpenVinoConfig(ComponentConfig):
    """OpenVINO on the CPU, reading ONNX files. What is not quantized is computed in 32-bit floats."""

    kind: Literal["openvino"] = "openvino"
