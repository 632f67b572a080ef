"""torch-pruning's dependency graph, read as coupled positions of parameters in neutral names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from paredown.contracts import Axis
from paredown.errors import UnsupportedError
from paredown_torch.model import device_of, evaluation_mode


class Dependencies:
    """The dependency graph of one network (Fang et al., 2023, "DepGraph"); it stays valid while it cuts."""

    def __init__(self, model: nn.Module, input_shape: tuple[int, int, int]) -> None:
        """Traces a network.

        Raises:
            UnsupportedError: torch-pruning cannot trace the network; tells what it stumbled over.
        """
        import torch_pruning

        self._names = {module: name for name, module in model.named_modules()}
        self._model = model
        self._graph = torch_pruning.DependencyGraph()
        example = torch.zeros((1, *input_shape), device=device_of(model))
        with _explained(), evaluation_mode(model), _all_trainable(model), torch.enable_grad(), _nothing_saved():
            self._graph.build_dependency(model, example, forward_fn=_forward, verbose=False)

    def group(self, layer: nn.Module, positions: list[int]) -> Any:
        """torch-pruning's group of what is coupled with these output channels of a convolution or Linear layer.

        Raises:
            UnsupportedError: The layer is not in the graph.
        """
        with _explained():
            pruner = self._graph.get_pruner_of_module(layer)
            return self._graph.get_pruning_group(layer, pruner.prune_out_channels, positions)

    def positions(self, group: Any) -> dict[Axis, list[int]]:
        """What a group of torch-pruning cuts: for each axis the positions along it, ascending.

        Raises:
            UnsupportedError: The group holds what has no channels of its own.
        """
        found: dict[Axis, list[int]] = {}
        for item in group:
            for axis in self.axes(item.dep):
                found[axis] = sorted({*found[axis], *item.idxs} if axis in found else item.idxs)
        return found

    def axes(self, dependency: Any) -> list[Axis]:
        """The axes that one dependency of a group cuts; none for an operation of the graph, such as an addition.

        Raises:
            UnsupportedError: Channels are not followed through this kind of layer.
        """
        module = dependency.target.module
        if isinstance(module, nn.Parameter):
            name = next((name for name, held in self._model.named_parameters() if held is module), None)
            if name is None:
                raise UnsupportedError("a parameter that belongs to no layer was replaced since the network was traced")
            return [(name, int(dependency.target.pruning_dim))]
        if module not in self._names:
            return []
        cuts_outputs = bool(self._graph.is_out_channel_pruning_fn(dependency.handler))
        return [(f"{self._names[module]}.{name}", axis) for name, axis in _module_axes(module, cuts_outputs)]


def _module_axes(module: nn.Module, cuts_outputs: bool) -> list[tuple[str, int]]:
    held = {name for name, _ in module.named_parameters(recurse=False)}
    if isinstance(module, _ConvNd | nn.Linear):
        if isinstance(module, _ConvTransposeNd) and module.groups > 1:
            raise UnsupportedError("a grouped transposed convolution is left as it is")
        swapped = isinstance(module, _ConvTransposeNd)
        if cuts_outputs:
            return [("weight", 1 if swapped else 0)] + ([("bias", 0)] if "bias" in held else [])
        return [("weight", 0 if swapped else 1)]
    if isinstance(module, _BatchNorm | nn.InstanceNorm2d):
        return [(name, 0) for name in ("weight", "bias") if name in held]
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
        return [(name, 0) for name in ("weight", "bias") if name in held]
    if isinstance(module, nn.PReLU):
        return [("weight", 0)] if module.num_parameters > 1 else []
    raise UnsupportedError(f"channels are not followed through {type(module).__name__}")


def _forward(model: nn.Module, images: torch.Tensor) -> Any:
    # torch-pruning's own way unpacks the batch into arguments, and hides why a network failed.
    return model(images)


@contextlib.contextmanager
def _all_trainable(model: nn.Module) -> Iterator[None]:
    # torch-pruning follows gradients; a frozen layer would be invisible to it.
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


@contextlib.contextmanager
def _nothing_saved() -> Iterator[None]:
    # The graph lives on while it cuts, and would hold the activations of the whole network for a backward pass.
    with torch.autograd.graph.saved_tensors_hooks(lambda _: None, lambda nothing: nothing):
        yield


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # torch-pruning raises whatever its tracing runs into, ZeroDivisionError among others
        text = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
        raise UnsupportedError(f"torch-pruning cannot trace this network ({reason})") from error
