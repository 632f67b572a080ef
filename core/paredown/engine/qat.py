"""Quantization-aware training: the scales to start from, and the plan that the trained network is deployed with."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paredown.algorithms.fold import find_folds
from paredown.algorithms.learned_scales import learns_level
from paredown.algorithms.qat import Schedule, TrainingScales, key_of
from paredown.contracts import Model, Outcome, PointKey
from paredown.engine import exporting, quantization
from paredown.engine.selectors import protected_layers
from paredown.engine.stepping import StepInput
from paredown.engine.workbench import Workbench
from paredown.errors import NoEffectError
from paredown.plan import QuantPlan
from paredown.spec.models import DistillStep, FinetuneStep, QuantizeStep

WEIGHTS_EVERY = 4
"""Steps of the optimizer after which the weights' scales follow them: in so few they hardly move."""


@dataclass(frozen=True, slots=True)
class QuantizedTraining:
    """A training with fake quantization under way: its step, what decides scales, and the layers left in float.

    `silent` are the places where nothing fired in calibration, see `silent_places`; `place` is the step's in the spec.
    """

    step: QuantizeStep
    scales: TrainingScales
    left: dict[str, str]
    silent: tuple[str, ...]
    place: str

    def require_levels(self, learned: Collection[PointKey]) -> int:
        """How many upper ends of ranges `pact` learned, or is to learn.

        Raises:
            NoEffectError: None, and the step asks for it.
        """
        count = sum(port != "weight" for _, port, _ in learned) if self.step.pact else 0
        if self.step.pact and not count:
            raise NoEffectError(
                "`pact` has nothing to learn: no range of this network begins at zero",
                where=f"{self.place}.pact",
                value=f"{len(self.scales.trained())} ranges",
                expected="an activation behind a ReLU that fires",
                remedy="leave `pact` out, or write `learned: true` in its place",
            )
        return count

    def plan(self, bench: Workbench, model: Model, outcome: Outcome, path: Path) -> QuantPlan:
        """The plan that the trained network is deployed with: what was trained for, and the rest calibrated now.

        Args:
            bench: The run.
            model: The trained network.
            outcome: What its training gave, learned scales among it.
            path: Where its canonical graph is written.
        """
        from paredown.deploy.points import make_plan

        exported = exporting.canonical(bench, model, path)
        learned = {**self.scales.trained(), **outcome.learned}
        weights = {layer: tensor for (layer, port, _), tensor in learned.items() if port == "weight"}
        activations = {key: tensor for key, tensor in learned.items() if key[1] != "weight"}
        ranges = quantization.observe(bench, self.step, exported.model)
        target = bench.spec.deploy.target
        return make_plan(exported.model, ranges, self.step, target, left=self.left, fixed=weights, learned=activations)


def begin(bench: Workbench, step: FinetuneStep | DistillStep, given: StepInput) -> QuantizedTraining | None:
    """The quantization that a training step asks for; None where it asks for none.

    Raises:
        NoEffectError: Nothing in the network can be quantized, or `pact` has nothing to learn.
        SpecError: A selector picks nothing.
    """
    inner = next((one for one in step.during if isinstance(one, QuantizeStep)), None)
    if inner is None:
        return None
    from paredown.deploy.calibrate import silent_places
    from paredown.deploy.points import make_plan

    assert inner.activations is not None  # the spec's checks see to it
    place = f"steps[{given.index}].during[{step.during.index(inner)}]"
    layers = bench.layers(given.model)
    left = dict.fromkeys(sorted(protected_layers(inner.protect, layers, place)), "protected by the spec")
    with tempfile.TemporaryDirectory(prefix=".start-", dir=given.directory) as scratch:
        graph = exporting.canonical(bench, given.model, Path(scratch) / "start.onnx").model
    ranges = quantization.observe(bench, inner, graph)
    plan = make_plan(graph, ranges, inner, bench.spec.deploy.target, left=left)
    quantization.require_points(plan, place)
    named = _keys(graph, left)
    steps_per_epoch, _ = bench.epochs(step.train.batch_size, 0)
    scales = TrainingScales(
        points=tuple(point for point in plan.points if point.owner == "layer"),
        folds=find_folds(layers),
        epsilons={layer.name: layer.eps for layer in layers if layer.eps is not None},
        leaders={key: keys[0] for keys in named.values() for key in keys},
        weights=inner.weights,
        activations=inner.activations,
        target=bench.spec.deploy.target,
        schedule=Schedule(WEIGHTS_EVERY, round(inner.freeze_epoch(step.train.epochs) * steps_per_epoch)),
        momentum=getattr(inner.activations.observer, "momentum", None),
        learned=inner.learned,
        pact=inner.pact,
        ranges={key: ranges[name] for name, keys in named.items() for key in keys},
    )
    begun = QuantizedTraining(inner, scales, left, silent_places(graph.graph, ranges), place)
    begun.require_levels([key_of(point) for point in scales.points if learns_level(point.tensor)])
    return begun


def _keys(graph: Any, left: dict[str, str]) -> dict[str, list[PointKey]]:
    """For each quantized tensor its points, first the one whose scale all take: a layer's output, else an input.

    An output is seen before the inputs that read it, and so sees values that nothing has clipped yet.
    """
    from paredown.deploy.places import places

    found: dict[str, list[PointKey]] = {}
    for name, named in places(graph.graph, left).items():
        ordered = sorted(named, key=lambda place: place.port != "output")
        found[name] = [(place.layer, place.port, place.index) for place in ordered]
    return found
