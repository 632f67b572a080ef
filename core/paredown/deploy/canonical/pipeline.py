"""The order in which an exported file is brought to canonical form."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import onnx

from paredown.deploy.canonical.activations import settle_activations
from paredown.deploy.canonical.attributes import drop_default_attributes
from paredown.deploy.canonical.casts import name_cast_types
from paredown.deploy.canonical.concat import flatten_concats
from paredown.deploy.canonical.flatten import settle_flatten
from paredown.deploy.canonical.gemm import settle_gemm
from paredown.deploy.canonical.identities import drop_identities, drop_pixel_pooling
from paredown.deploy.canonical.initializers import lift_constants, name_initializers, prune_initializers
from paredown.deploy.canonical.layers import settle_layers
from paredown.deploy.canonical.opset import check_operators, convert_opset
from paredown.deploy.canonical.order import settle_order
from paredown.deploy.canonical.pooling import settle_global_pooling
from paredown.deploy.canonical.resizing import settle_resizing
from paredown.deploy.canonical.shapes import settle_shapes
from paredown.deploy.canonical.slim import slim
from paredown.deploy.canonical.wrap import wrap


def canonicalize(model: onnx.ModelProto, names: Mapping[str, str], parameters: Collection[str] = ()) -> onnx.ModelProto:
    """The canonical form of an exported network; the argument is left as it is.

    Args:
        model: What a framework exported: one input (float32, batch first), float weights, BatchNorm folded.
        names: The neutral name of each initializer that has another name in the file.
        parameters: The neutral names of all parameters. Those that no layer of the graph holds (a LayerNorm's, a scale
            of its own) keep their names by it; without it they are constants like others, and equal ones become one.

    Returns:
        A network of opset 21 with input `images` and output `outputs`. Weights of layers are `<layer>.weight`, in
        torch's layout; biases are `<layer>.bias`. Equal networks give equal bytes.

    Raises:
        UnsupportedError: The file holds an operator outside of standard ONNX, or has several inputs.
    """
    check_operators(model)
    canonical = slim(name_cast_types(model))
    canonical = convert_opset(canonical)
    lift_constants(canonical)
    name_initializers(canonical, names)
    drop_identities(canonical)
    settle_resizing(canonical)
    settle_activations(canonical)
    settle_global_pooling(canonical)
    drop_pixel_pooling(canonical)
    settle_flatten(canonical)
    flatten_concats(canonical)
    settle_shapes(canonical)
    settle_gemm(canonical)
    settle_layers(canonical)
    drop_default_attributes(canonical)
    prune_initializers(canonical)
    settle_order(canonical, parameters)
    return wrap(canonical)
