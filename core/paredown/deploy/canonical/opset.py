"""The operator set of the canonical form."""

from __future__ import annotations

import onnx
from onnx import version_converter

from paredown.errors import UnsupportedError

OPSET = 21
STANDARD = ("", "ai.onnx")


def check_operators(model: onnx.ModelProto) -> None:
    """Raises `UnsupportedError` that names the operators which standard ONNX does not know."""
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in STANDARD})
    if foreign:
        raise UnsupportedError(
            "the exported network uses operators outside of standard ONNX",
            where="export",
            value=", ".join(foreign),
            expected=f"operators of ONNX opset {OPSET}",
            remedy="replace the layers that export to these operators by standard ones",
        )


def convert_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model in opset 21."""
    versions = [entry.version for entry in model.opset_import if entry.domain in STANDARD]
    if versions == [OPSET]:
        return model
    return version_converter.convert_version(model, OPSET)
