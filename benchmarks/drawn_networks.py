"""Two networks with drawn weights in canonical form, for benchmarks that need no framework; shapes are as published."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 21, 10


def resnet20(size: int) -> onnx.ModelProto:
    """He et al., 2016, for small images: 0.27 million parameters; BatchNorm is folded."""
    drawing = _Drawing()
    x, channels = drawing.convolution("images", 3, 16, 3, function="Relu"), 16
    for stage, width in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage and not block else 1
            h = drawing.convolution(x, channels, width, 3, stride=stride, function="Relu")
            h = drawing.convolution(h, width, width, 3)
            shortcut = x if channels == width else drawing.convolution(x, channels, width, 1, stride=stride)
            x, channels = drawing.node("Relu", drawing.node("Add", h, shortcut)), width
    return drawing.classifier(x, channels, size)


def mobilenet_v2(size: int) -> onnx.ModelProto:
    """Sandler et al., 2018: 3.5 million parameters with 1000 classes; BatchNorm is folded."""
    drawing = _Drawing()
    x, channels = drawing.convolution("images", 3, 32, 3, stride=2, function="Clip"), 32
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, width, repeats, first_stride in table:
        for block in range(repeats):
            stride, inner = first_stride if not block else 1, channels * expansion
            h = x if expansion == 1 else drawing.convolution(x, channels, inner, 1, function="Clip")
            h = drawing.convolution(h, inner, inner, 3, stride=stride, groups=inner, function="Clip")
            h = drawing.convolution(h, inner, width, 1)
            x = drawing.node("Add", h, x) if stride == 1 and channels == width else h
            channels = width
    return drawing.classifier(drawing.convolution(x, channels, 1280, 1, function="Clip"), 1280, size)


class _Drawing:
    """Nodes and initializers; weights are drawn with He et al.'s variance (2015)."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Any] = {"zero": np.float32(0), "six": np.float32(6)}

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def convolution(
        self, x: str, channels: int, width: int, kernel: int, *, stride: int = 1, groups: int = 1, function: str = ""
    ) -> str:
        inputs = self._weights((width, channels // groups, kernel, kernel))
        window = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, "strides": [stride] * 2, "group": groups}
        output = self.node("Conv", x, *inputs, **window)
        return self.node(function, output, *(("zero", "six") if function == "Clip" else ())) if function else output

    def classifier(self, x: str, channels: int, size: int) -> onnx.ModelProto:
        flat = self.node("Flatten", self.node("GlobalAveragePool", x))
        output = self.node("Gemm", flat, *self._weights((10, channels)), transB=1)
        used = {name for node in self.nodes for name in node.input}
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, size, size])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", 10])],
            [
                numpy_helper.from_array(np.asarray(array), name)
                for name, array in self.constants.items()
                if name in used
            ],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)

    def _weights(self, shape: tuple[int, ...]) -> tuple[str, str]:
        layer = f"layer{len(self.nodes)}"
        spread = (2 / np.prod(shape[1:])) ** 0.5
        self.constants[f"{layer}.weight"] = self.random.normal(0, spread, shape).astype(np.float32)
        self.constants[f"{layer}.bias"] = self.random.normal(0, 0.1, shape[0]).astype(np.float32)
        return f"{layer}.weight", f"{layer}.bias"
