"""onnxslim: constant folding and the fusing of what exporters take apart."""

from __future__ import annotations

import onnx
import onnxslim


def slim(model: onnx.ModelProto) -> onnx.ModelProto:
    """A simplified copy of the model.

    Tying equal weights and merging equal nodes are switched off: two layers that happen to hold equal arrays are still
    two layers, each with its neutral name.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return onnxslim.slim(
        copy,
        skip_optimizations=["weight_tying", "subexpression_elimination"],
        skip_fusion_patterns=["FusionConvBN", "FusionConvTransposeBN", "FusionConvMul", "FusionConvTransposeMul"],
    )
