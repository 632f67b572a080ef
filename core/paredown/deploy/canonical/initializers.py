"""Initializers: constants lifted out of nodes, neutral names, and none that nobody reads."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from paredown.deploy.canonical.graph import attributes, consumers, output_names, redirect, replace_nodes
from paredown.errors import DeployError


def lift_constants(model: onnx.ModelProto) -> None:
    """Turns `Constant` nodes that hold a tensor into initializers."""
    graph = model.graph
    kept = []
    for node in graph.node:
        value = attributes(node).get("value") if node.op_type == "Constant" else None
        if value is None:
            kept.append(node)
            continue
        tensor = onnx.TensorProto()
        tensor.CopyFrom(value)
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
    replace_nodes(graph, kept)


def name_initializers(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Gives initializers their neutral names.

    Raises:
        DeployError: Two initializers would get one name.
    """
    graph = model.graph
    # In two passes, through names that nobody has: a file's name may be another initializer's neutral name.
    renamed = {tensor.name: names[tensor.name] for tensor in graph.initializer if tensor.name in names}
    untouched = {tensor.name for tensor in graph.initializer if tensor.name not in names}
    wanted = list(renamed.values())
    twice = sorted({name for name in wanted if wanted.count(name) > 1 or name in untouched})
    if twice:
        raise DeployError("two initializers claim one neutral name", where="export", value=", ".join(twice))
    for tensor in graph.initializer:
        if tensor.name in renamed:
            redirect(graph, tensor.name, f"\0{renamed[tensor.name]}")
            tensor.name = renamed[tensor.name]
    for name in wanted:
        redirect(graph, f"\0{name}", name)


def prune_initializers(model: onnx.ModelProto) -> None:
    """Drops initializers that no node reads."""
    graph = model.graph
    read = set(consumers(graph)) | output_names(graph)
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
