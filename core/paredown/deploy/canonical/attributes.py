"""Attributes: none that says what holds anyway."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import defs, helper

from paredown.deploy.canonical.graph import attributes, constants
from paredown.deploy.canonical.opset import OPSET

WINDOWED = ("AveragePool", "Conv", "ConvTranspose", "MaxPool")


def drop_default_attributes(model: onnx.ModelProto) -> None:
    """Removes attributes that hold their default, and sorts the others by name."""
    known = constants(model.graph)
    for node in model.graph.node:
        defaults = _schema_defaults(node.op_type)
        if node.op_type in WINDOWED:
            defaults |= _window_defaults(node, known)
        options = attributes(node)
        kept = {
            name: options[name] for name in sorted(options) if name not in defaults or options[name] != defaults[name]
        }
        del node.attribute[:]
        node.attribute.extend(helper.make_attribute(name, value) for name, value in kept.items())


def _schema_defaults(op_type: str) -> dict[str, Any]:
    declared = defs.get_schema(op_type, OPSET).attributes.values()
    return {
        attribute.name: helper.get_attribute_value(attribute.default_value)
        for attribute in declared
        if attribute.default_value.type != onnx.AttributeProto.UNDEFINED
    }


def _window_defaults(node: onnx.NodeProto, known: dict[str, onnx.TensorProto]) -> dict[str, Any]:
    """The defaults that the schema tells in words: they depend on the number of image axes."""
    defaults: dict[str, Any] = {"auto_pad": b"NOTSET", "group": 1}
    if node.op_type in ("Conv", "ConvTranspose") and node.input[1] in known:
        kernel = list(known[node.input[1]].dims[2:])
        defaults["kernel_shape"] = kernel
        rank = len(kernel)
    else:
        rank = len(attributes(node).get("kernel_shape", ()))
    if node.op_type == "AveragePool" and not _meets_padding(node):
        defaults["count_include_pad"] = attributes(node).get("count_include_pad", 0)
    return defaults | {"strides": [1] * rank, "dilations": [1] * rank, "pads": [0] * (2 * rank)}


def _meets_padding(node: onnx.NodeProto) -> bool:
    """Whether a window may hang over the image's edge; where none does, it says nothing whether padding counts."""
    options = attributes(node)
    unpadded = options.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID") and not any(options.get("pads", ()))
    return not unpadded or bool(options.get("ceil_mode", 0))
