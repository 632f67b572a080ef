"""Fake quantization of a network while it trains (QAT, Jacob et al., 2018, section 3)."""

from __future__ import annotations

import contextlib
from collections import Counter
from functools import partial
from typing import Literal

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from paredown.algorithms.learned_scales import learns_level
from paredown.algorithms.qat import key_of
from paredown.contracts import PointKey, Quantizing
from paredown.errors import PlanError, TrainingDiverged
from paredown.plan import QuantizationPoint, QuantizedTensor
from paredown_torch import model as networks
from paredown_torch.fake_quantization import grid_of, value_range
from paredown_torch.learned_scales import LearnedClip, LearnedScale
from paredown_torch.outputs import Returned
from paredown_torch.points import REMEDY, Change, attach, layer_of, misfit, weight_of
from paredown_torch.quantized_weights import QuantizedWeight
from paredown_torch.straight_through import straight_through

STEADIER = "lower optimizer.lr, or warm up: schedule: {kind: cosine, warmup_epochs: 1}"


class QuantizedStudent:
    """A network whose forward pass computes with fake-quantized weights and activations.

    Nothing of it is in the network but while `forward` runs, whatever that raises: the optimizer, masks and `save` see
    the real parameters, and an evaluation between two steps the float network.
    """

    def __init__(self, model: nn.Module, quantizing: Quantizing) -> None:
        """Finds the points in the network.

        Raises:
            PlanError: A point or a fold does not fit the network.
        """
        self._model, self._quantizing = model, quantizing
        self._modules: dict[str, nn.Module] = dict(model.named_modules())
        self._learned: dict[PointKey, LearnedScale | LearnedClip] = {}
        self._waiting: set[PointKey] = set()
        self._norms = {fold.layer: self._norm(fold.batch_norm) for fold in quantizing.folds}
        self._weights = {p.layer: self._weight(p) for p in quantizing.points if p.port == "weight"}
        self._changes: dict[tuple[str, Literal["input", "output"]], dict[int, Change]] = {}
        for point in quantizing.points:
            if point.port != "weight":
                self._changes.setdefault((point.layer, point.port), {})[point.index] = self._change(point)
        self._counts: Counter[str] = Counter()

    @property
    def scales(self) -> list[nn.Parameter]:
        """The learned scales, which no weight decay should shrink."""
        return [learned.parameter for learned in self._learned.values() if isinstance(learned, LearnedScale)]

    @property
    def clips(self) -> list[nn.Parameter]:
        """The learned ends of ranges, which weight decay shrinks (Choi et al., 2018, section 4)."""
        return [learned.parameter for learned in self._learned.values() if isinstance(learned, LearnedClip)]

    def before_step(self, step: int, where: str) -> None:
        """Takes new scales of weights and freezes BatchNorm, where that is due before this step.

        Args:
            step: Counted over the whole training.
            where: The step's name, for errors.

        Raises:
            TrainingDiverged: A weight to quantize is not finite.
        """
        if self._quantizing.is_due(step):
            weights = networks.save(self._model)
            for layer, weight in self._weights.items():
                _require_finite(weight.parameter, f"{where}, weight of {layer}")
            for point in self._quantizing.update(step, weights):
                self._weights[point.layer].take(point.tensor)
        if self._quantizing.freeze_bn is not None and step >= self._quantizing.freeze_bn:
            for module in self._modules.values():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def forward(self, images: torch.Tensor) -> Returned:
        """The network's output.

        Raises:
            PlanError: A point's call did not happen.
        """
        self._counts.clear()
        weights = {f"{layer}.weight": weight.quantized() for layer, weight in self._weights.items()}
        with contextlib.ExitStack() as stack:
            for (layer, port), changes in self._changes.items():
                module = self._norms.get(layer, self._modules[layer]) if port == "output" else self._modules[layer]
                stack.callback(attach(module, port, _where(port, layer), changes, self._counts).remove)
            output: Returned = functional_call(self._model, weights, (images,))
        self._require_calls()
        return output

    def after_step(self) -> None:
        """Bounds how far the optimizer moved what is learned."""
        for learned in self._learned.values():
            learned.after_step()

    def learned(self) -> dict[PointKey, QuantizedTensor]:
        """What was learned, by leading point; without activations that were zero all the time.

        Raises:
            TrainingDiverged: A learned number is not finite.
        """
        for (layer, port, _), learned in self._learned.items():
            _require_finite(learned.parameter, f"the learned scale of the {_where(port, layer)}")
        return {leader: each.tensor() for leader, each in self._learned.items() if leader not in self._waiting}

    def _norm(self, name: str) -> _BatchNorm:
        norm = self._modules.get(name)
        if isinstance(norm, _BatchNorm) and norm.running_var is not None:
            return norm
        raise PlanError(
            "BatchNorm cannot be folded while training",
            where=name,
            value="no layer of this name" if norm is None else type(norm).__name__,
            expected="a BatchNorm layer with running statistics",
            remedy=REMEDY,
        )

    def _weight(self, point: QuantizationPoint) -> QuantizedWeight:
        parameter = weight_of(self._modules, point)
        norm, learned = self._norms.get(point.layer), self._quantizing.learned
        try:
            weight = QuantizedWeight(parameter, norm, point.tensor, learned=learned)
        except (ValueError, IndexError) as error:
            raise misfit(f"weight of {point.layer}", point.tensor, parameter.shape, error) from error
        if weight.scale is not None:
            self._learned[self._quantizing.leader(key_of(point))] = weight.scale
        return weight

    def _change(self, point: QuantizationPoint) -> Change:
        layer_of(self._modules, point)
        tensor = point.tensor
        if tensor.axis is not None or len(tensor.scale) != 1:
            raise PlanError(
                "an activation has more than one scale",
                where=_where(point.port, point.layer),
                value=f"{len(tensor.scale)} scales along axis {tensor.axis}",
                expected="one scale for the whole tensor",
                remedy=REMEDY,
            )
        leader = self._quantizing.leader(key_of(point))
        learned: LearnedScale | LearnedClip
        if self._quantizing.pact and learns_level(tensor):
            learned = self._clip(point)
        elif self._quantizing.learned:
            learned = self._scale(point)
        else:
            return partial(self._given_activation, key_of(point))
        if self._quantizing.is_silent(leader):
            self._waiting.add(leader)
        return partial(self._learned_activation, leader, learned)

    def _learned_activation(
        self, leader: PointKey, learned: LearnedScale | LearnedClip, values: torch.Tensor
    ) -> torch.Tensor:
        if leader in self._waiting:
            tensor = self._quantizing.activation(leader, *value_range(values))
            # A range that turns out to reach below zero has no level to learn, and goes on following the batches.
            fits = learns_level(tensor) or isinstance(learned, LearnedScale)
            if self._quantizing.is_silent(leader) or not fits:
                return straight_through(values, grid_of(tensor, values))
            learned.restart(tensor)
            self._waiting.remove(leader)
        if isinstance(learned, LearnedClip):
            return learned.quantize(values)
        # The paper counts the features of a layer, not those of all images of a batch.
        return learned.quantize(values, values[0].numel())

    def _given_activation(self, key: PointKey, values: torch.Tensor) -> torch.Tensor:
        tensor = self._quantizing.activation(key, *value_range(values))
        return straight_through(values, grid_of(tensor, values))

    def _scale(self, point: QuantizationPoint) -> LearnedScale:
        found = self._learned.setdefault(
            self._quantizing.leader(key_of(point)), LearnedScale(point.tensor, networks.device_of(self._model))
        )
        assert isinstance(found, LearnedScale), "points of one tensor are quantized alike"
        return found

    def _clip(self, point: QuantizationPoint) -> LearnedClip:
        found = self._learned.setdefault(
            self._quantizing.leader(key_of(point)), LearnedClip(point.tensor, networks.device_of(self._model))
        )
        assert isinstance(found, LearnedClip), "points of one tensor are quantized alike"
        return found

    def _require_calls(self) -> None:
        for (layer, port), changes in self._changes.items():
            calls = self._counts[_where(port, layer)]
            if max(changes) >= calls:
                raise PlanError(
                    "a quantization point was not reached in training",
                    where=_where(port, layer),
                    value=f"call {max(changes) + 1} of {calls}",
                    expected="a layer that is called as often in training as in the exported network",
                    remedy="protect the layer",
                )


def _where(port: str, layer: str) -> str:
    return f"{port} of {layer}"


def _require_finite(values: torch.Tensor, where: str) -> None:
    if not torch.isfinite(values.detach()).all():
        raise TrainingDiverged("a number is no longer finite", where=where, expected="finite numbers", remedy=STEADIER)
