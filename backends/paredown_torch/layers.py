"""Measuring layers: one forward pass that notes every call of a leaf layer, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from paredown.contracts import LayerInfo
from paredown.errors import ModelError
from paredown_torch.model import device_of, evaluation_mode


@dataclass(slots=True)
class _Trace:
    """Calls in order, and for each tensor the call that produced its value: (position, version of the tensor).

    A version that has moved on means that something else wrote into the tensor since, such as `out += shortcut`. The
    tensors are kept so that no id is used twice.
    """

    calls: list[LayerInfo] = field(default_factory=list)
    produced: dict[int, tuple[int, int]] = field(default_factory=dict)
    alive: list[torch.Tensor] = field(default_factory=list)

    def producer(self, tensor: torch.Tensor) -> int | None:
        """The position of the call that gave a tensor its present value, or None where no layer did."""
        position, version = self.produced.get(id(tensor), (None, -1))
        return position if version == tensor._version else None

    def record(self, call: LayerInfo, returned: Sequence[torch.Tensor]) -> None:
        """Notes a call; a tensor that only passed through (an identity) stays with the call that produced it."""
        self.calls.append(call)
        for tensor in returned:
            if self.producer(tensor) is None:
                self.produced[id(tensor)] = (len(self.calls) - 1, tensor._version)
                self.alive.append(tensor)


def measure(model: nn.Module, input_shape: tuple[int, int, int]) -> tuple[LayerInfo, ...]:
    """Every call of every leaf layer in one forward pass in evaluation mode; the network is left as it was.

    An activation that works in place returns the tensor that it was given, and is its source from then on.

    Args:
        model: The network.
        input_shape: (channels, height, width).

    Raises:
        ModelError: The network fails on images of this shape.
    """
    trace = _Trace()
    handles = [
        handle
        for name, module in model.named_modules()
        if not any(True for _ in module.children())
        for handle in _watch(trace, name, module)
    ]
    try:
        with evaluation_mode(model), torch.no_grad():
            output = model(torch.zeros((1, *input_shape), device=device_of(model)))
    except RuntimeError as error:
        raise ModelError(
            f"the network does not take these images: {str(error).splitlines()[0]}",
            value=f"images of shape {input_shape}",
            expected="the channels, height and width that the network is built for",
            remedy="set model.in_channels and model.input_size to those of the data",
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    for tensor in _tensors(output):
        position = trace.producer(tensor)
        if position is not None:
            trace.calls[position] = replace(trace.calls[position], is_output=True)
    return tuple(trace.calls)


def _watch(trace: _Trace, name: str, module: nn.Module) -> Iterator[torch.utils.hooks.RemovableHandle]:
    # The source is read before the call: an in-place layer would otherwise find itself as its own source.
    sources: list[str | None] = []
    shapes: list[tuple[int, ...]] = []

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = next(_tensors((args, kwargs)), None)
        position = None if given is None else trace.producer(given)
        sources.append(None if position is None else trace.calls[position].name)
        shapes.append(() if given is None else tuple(given.shape[1:]))

    def after(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
        returned = list(_tensors(output))
        shape = tuple(returned[0].shape[1:]) if returned else ()
        trace.record(_describe(name, module, shapes.pop(), shape, sources.pop()), returned)

    yield module.register_forward_pre_hook(before, with_kwargs=True)
    yield module.register_forward_hook(after)


def _describe(
    name: str, module: nn.Module, input_shape: tuple[int, ...], output_shape: tuple[int, ...], source: str | None
) -> LayerInfo:
    weight = getattr(module, "weight", None)
    return LayerInfo(
        name=name,
        kind=_kind(module),
        type=type(module).__name__,
        weight_shape=tuple(weight.shape) if isinstance(weight, torch.Tensor) else (),
        input_shape=input_shape,
        output_shape=output_shape,
        groups=module.groups if isinstance(module, _ConvNd) else 1,
        eps=module.eps if isinstance(module, _BatchNorm) else None,
        source=source,
    )


def _kind(module: nn.Module) -> Literal["conv", "linear", "batch_norm", "other"]:
    # Transposed convolutions hold their weight as [in, out, ...]: no decision made for `conv` would fit them.
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return "conv"
    if isinstance(module, nn.Linear):
        return "linear"
    return "batch_norm" if isinstance(module, _BatchNorm) else "other"


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
