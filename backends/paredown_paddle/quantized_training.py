"""Training with fake quantization (Jacob et al., 2018, section 3): what computes differently during a forward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from paredown.algorithms.qat import key_of
from paredown.contracts import PointKey, Quantizing
from paredown.plan import QuantizedTensor
from paredown_paddle.divergence import diverged
from paredown_paddle.fake_quantization import value_range
from paredown_paddle.learned_scales import LearnedScales, Unit
from paredown_paddle.model import save
from paredown_paddle.names import is_batch_norm, tensors
from paredown_paddle.points import check_folds, check_points, layers_by_name
from paredown_paddle.quantized_layers import Site
from paredown_paddle.quantized_weights import QuantizedWeight, factor_size
from paredown_paddle.straight_through import straight_through


class QuantizedTraining:
    """Fake quantization of a network that trains; without quantizing it does nothing.

    The network itself is changed only inside `applied`, and by nothing that outlasts it.

    Raises:
        PlanError: When a point or a fold does not fit the network.
    """

    def __init__(self, model: Any, quantizing: Quantizing | None) -> None:
        self.model, self.quantizing = model, quantizing
        self.scales: LearnedScales | None = None
        self._sites: dict[int, Site] = {}
        self._weights: dict[str, QuantizedWeight] = {}
        self._step = 0
        if quantizing is not None:
            check_points(model, quantizing.points)
            check_folds(model, quantizing.folds)
            layers = layers_by_name(model)
            norms = {fold.layer: layers[fold.batch_norm] for fold in quantizing.folds}
            self.scales = LearnedScales(quantizing, _units(quantizing, norms))
            self._place(quantizing, self.scales, layers, norms)

    def before_step(self, step: int) -> None:
        """Renews the scales of weights where they are due before a step, and freezes BatchNorm where it is time."""
        if self.quantizing is None:
            return
        self._step = step
        if self.quantizing.is_due(step):
            state = save(self.model)
            self._require_finite(state)
            for point in self.quantizing.update(step, state):
                self._weights[point.layer].tensor = point.tensor
                leader = self.quantizing.leader(key_of(point))
                if self.scales is not None and leader in self.scales.steps:
                    self.scales.restart(leader, point.tensor)
        if self.quantizing.freeze_bn is not None and step >= self.quantizing.freeze_bn:
            for layer in self.model.sublayers(include_self=True):
                if is_batch_norm(layer):
                    layer.training = False

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """One forward pass of the network computes with fake quantization."""
        with contextlib.ExitStack() as stack:
            for site in self._sites.values():
                stack.enter_context(site.hooked())
            yield
        for site in self._sites.values():
            site.require_called()

    def hold(self) -> None:
        """Bounds how far a step of the optimizer moved what is learned."""
        if self.scales is not None:
            self.scales.after_step()

    def learned(self) -> Mapping[PointKey, QuantizedTensor]:
        """The points whose scales were learned, each under its leader."""
        return {} if self.scales is None else self.scales.learned()

    def _place(
        self, quantizing: Quantizing, scales: LearnedScales, layers: Mapping[str, Any], norms: Mapping[str, Any]
    ) -> None:
        slots = tensors(self.model)
        for point in quantizing.points:
            key = key_of(point)
            if point.port == "weight":
                step = scales.steps.get(quantizing.leader(key))
                slot = slots[f"{point.layer}.weight"]
                weight = QuantizedWeight(slot, point.tensor, norms.get(point.layer), step)
                self._weights[point.layer] = self._site(layers[point.layer]).weight = weight
            elif point.port == "input":
                self._site(layers[point.layer]).inputs[point.index] = key
            else:
                # Folded, the layer's output is what comes out of its BatchNorm.
                self._site(norms.get(point.layer, layers[point.layer])).outputs[point.index] = key

    def _site(self, layer: Any) -> Site:
        return self._sites.setdefault(id(layer), Site(layer, self._activation))

    def _activation(self, key: PointKey, values: Any) -> Any:
        assert self.quantizing is not None
        assert self.scales is not None
        leader = self.quantizing.leader(key)
        if leader in self.scales.levels or leader in self.scales.steps:
            return self.scales.quantized(leader, values)
        return straight_through(values, self.quantizing.activation(key, *value_range(values)))

    def _require_finite(self, state: Mapping[str, Any]) -> None:
        for name, values in state.items():
            if not np.isfinite(values).all():
                raise diverged(f"step {self._step + 1}, {name}", "NaN or infinity in this tensor")


def _units(quantizing: Quantizing, norms: Mapping[str, Any]) -> Mapping[PointKey, Unit]:
    """What the step sizes of folded weights are measured in, by leader."""
    return {
        quantizing.leader(key_of(point)): partial(factor_size, norms[point.layer], point.tensor)
        for point in quantizing.points
        if point.port == "weight" and point.layer in norms
    }
