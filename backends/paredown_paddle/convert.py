"""Turns a saved Paddle program into ONNX; run as a process of its own, because paddle2onnx can kill the one it is in.

Usage: python -m paredown_paddle.convert PROGRAM PARAMETERS OUTPUT
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

OPSET = 21


def convert(program: Path, parameters: Path, output: Path) -> None:
    """Writes the ONNX file; weights become initializers under the names that the parameters have in Paddle."""
    from paredown_paddle.framework import quiet

    with quiet():
        import paddle2onnx
    # Without its optimizer: Polygraphy takes longer than all the rest and renames the biases of convolutions.
    paddle2onnx.export(
        str(program), str(parameters), str(output), opset_version=OPSET, auto_upgrade_opset=False, optimize_tool="none"
    )
    import onnx

    file = onnx.load(str(output))
    hoist_constants(file.graph)
    attach_biases(file.graph)
    drop_unused(file.graph)
    onnx.save(file, str(output))


def hoist_constants(graph: Any) -> None:
    """Makes initializers of Constant nodes, which is how paddle2onnx writes weights; names are kept."""
    kept = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = graph.initializer.add()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def attach_biases(graph: Any) -> None:
    """Gives a convolution its bias as third input; Paddle writes it as Reshape and Add, where its name is lost."""
    constants = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    gone = []
    for add in graph.node:
        if add.op_type != "Add":
            continue
        convolution, reshape = makers.get(add.input[0]), makers.get(add.input[1])
        if convolution is None or reshape is None or (convolution.op_type, reshape.op_type) != ("Conv", "Reshape"):
            continue
        bias = reshape.input[0]
        if len(constants.get(bias, [])) != 1 or len(convolution.input) != 2 or readers[convolution.output[0]] != 1:
            continue
        convolution.input.append(bias)
        convolution.output[0] = add.output[0]
        gone.append(add)
        if readers[reshape.output[0]] == 1:
            gone.append(reshape)
    for node in gone:
        graph.node.remove(node)


def drop_unused(graph: Any) -> None:
    """Removes initializers that no node reads: settings that paddle2onnx wrote as tensors too."""
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


if __name__ == "__main__":
    convert(*(Path(argument) for argument in sys.argv[1:4]))
