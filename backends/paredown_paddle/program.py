"""The graph of a network as PaddleSlim reads it."""

from __future__ import annotations

from typing import Any

from paredown.errors import ModelError
from paredown_paddle.framework import import_paddleslim, last_line, paddle, quiet
from paredown_paddle.modes import evaluating


def trace(model: Any, input_shape: tuple[int, int, int]) -> Any:
    """Traces a network under Paddle's old IR, which is the one that PaddleSlim understands.

    The image size is fixed and the batch is not. The network is left as it was.

    Raises:
        ModelError: When the forward cannot be traced.
    """
    slim = import_paddleslim()
    image = paddle.static.InputSpec([None, *input_shape], "float32", "image")
    forward = model.forward
    try:
        with evaluating(model), paddle.pir_utils.OldIrGuard(), quiet():
            traced = paddle.jit.to_static(forward, input_spec=[image], full_graph=True)
            program = traced.concrete_program.main_program
    except Exception as error:
        raise ModelError(
            "Paddle cannot trace the network",
            where="measure groups",
            value=last_line(error),
            expected="a network whose forward can be traced from one image tensor",
            remedy="try paddle.jit.to_static on the network alone: its message names the line",
        ) from error
    return slim.core.GraphWrapper(program)
