"""Measuring the layers of a network: one forward pass, watched."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from paredown.contracts import LayerInfo
from paredown_paddle.framework import paddle
from paredown_paddle.modes import evaluating
from paredown_paddle.names import is_batch_norm, named_layers, tensors

_CONVOLUTIONS = (paddle.nn.Conv1D, paddle.nn.Conv2D, paddle.nn.Conv3D)


class _Watcher:
    """Notes each call of each leaf layer.

    Tensors are told apart by identity, so they are kept: an id is used again once its object is gone.
    """

    def __init__(self, model: Any) -> None:
        self.shapes = {name: slot.shape for name, slot in tensors(model).items()}
        self.calls: list[tuple[LayerInfo, Any]] = []
        self.made_by: dict[int, str] = {}
        self.kept: list[Any] = []

    def note(self, name: str, layer: Any, inputs: Any, output: Any) -> None:
        """Takes one call."""
        given = next((value for value in inputs if isinstance(value, paddle.Tensor)), None)
        result = output[0] if isinstance(output, (list, tuple)) else output
        info = LayerInfo(
            name=name,
            kind=_kind(layer),
            type=type(layer).__name__,
            weight_shape=self.shapes.get(f"{name}.weight", ()),
            input_shape=_shape(given),
            output_shape=_shape(result),
            groups=int(getattr(layer, "_groups", 1)),
            eps=float(layer._epsilon) if is_batch_norm(layer) else None,
            source=self.made_by.get(id(given)),
        )
        self.calls.append((info, result))
        self.kept.extend((given, result))
        self.made_by[id(result)] = name


def measure_layers(model: Any, input_shape: tuple[int, int, int]) -> tuple[LayerInfo, ...]:
    """The leaf layers in order of execution, from one pass over a black image; the network is left as it was."""
    watcher = _Watcher(model)
    handles = [
        layer.register_forward_post_hook(_hook(watcher, name))
        for name, layer in named_layers(model)
        if not any(True for _ in layer.children())
    ]
    try:
        with evaluating(model), paddle.no_grad():
            final = model(paddle.zeros([1, *input_shape], "float32"))
    finally:
        for handle in handles:
            handle.remove()
    outputs = final if isinstance(final, (list, tuple)) else [final]
    last = {id(result): index for index, (_, result) in enumerate(watcher.calls)}
    returned = {last.get(id(output)) for output in outputs}
    return tuple(_marked(info, index in returned) for index, (info, _) in enumerate(watcher.calls))


def _hook(watcher: _Watcher, name: str) -> Any:
    def hook(layer: Any, inputs: Any, output: Any) -> None:
        watcher.note(name, layer, inputs, output)

    return hook


def _marked(info: LayerInfo, is_output: bool) -> LayerInfo:
    if not is_output:
        return info
    return dataclasses.replace(info, is_output=True)


def _kind(layer: Any) -> Literal["conv", "linear", "batch_norm", "other"]:
    if isinstance(layer, _CONVOLUTIONS):
        return "conv"
    if isinstance(layer, paddle.nn.Linear):
        return "linear"
    return "batch_norm" if is_batch_norm(layer) else "other"


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in tensor.shape[1:]) if isinstance(tensor, paddle.Tensor) else ()
