"""A quantization step after training: corrections, the plan, what it costs, and the layers that are left in float."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from paredown.algorithms import batches
from paredown.contracts import Array, CorrectionRun, FloatArray, State
from paredown.engine import best_effort, exporting
from paredown.engine.built import Quantized
from paredown.engine.effective_bits import effective_bits
from paredown.engine.evidence import change
from paredown.engine.mask_checks import require_zeros
from paredown.engine.selectors import protected_layers
from paredown.engine.stepping import StepInput, StepOutput
from paredown.engine.workbench import Workbench
from paredown.errors import NoEffectError
from paredown.plan import QuantizedTensor, QuantPlan
from paredown.spec.models import QuantizeStep

Ranges = Mapping[str, tuple[float, float]]
"""(minimum, maximum) by tensor of the canonical graph."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """What corrections made of the canonical graph.

    `reference` is the float network, with the `rescaled` arrays of those that compute the same; `changed` are the
    arrays of the others, `fixed` the scales that their weights were made for.
    """

    reference: Any
    rescaled: State = field(default_factory=dict)
    changed: State = field(default_factory=dict)
    fixed: Mapping[str, QuantizedTensor] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def of(self, left: Collection[str]) -> State:
        """The arrays to deploy: a layer that is left in float has no error to correct, and keeps its own, rescaled."""
        kept = {name: values for name, values in self.changed.items() if name.rpartition(".")[0] not in left}
        return {**self.rescaled, **kept}


def quantize(bench: Workbench, step: QuantizeStep, given: StepInput) -> StepOutput:
    """Decides how a network is quantized, and simulates it; the network itself stays in float.

    A runtime that reads no ONNX does all of it with a quantizer of its own, when the files are written.

    Raises:
        NoEffectError: Nothing in the network can be quantized.
        DataError: The calibration images, or what the network makes of them, give no range.
        SpecError: A selector picks nothing.
    """
    from paredown.deploy.canonical.graph import with_arrays
    from paredown.deploy.points import make_plan

    if bench.runtime.format != "onnx":
        replaced = ["activations.observer", "activations.symmetric", "deploy.target"]
        return StepOutput(given.model, None, {"quantized_by": bench.runtime.name, "not_used": replaced})
    place = f"steps[{given.index}]"
    exported = exporting.canonical(bench, given.model, given.directory / exporting.FINAL)
    left = dict.fromkeys(
        sorted(protected_layers(step.protect, bench.layers(given.model), place)), "protected by the spec"
    )
    corrected = _corrections(bench, step, exported.model, left)
    graph = with_arrays(corrected.reference, corrected.changed)
    ranges = observe(bench, step, graph)

    def without(layers: Mapping[str, str]) -> Quantized:
        fixed = {layer: tensor for layer, tensor in corrected.fixed.items() if layer not in layers}
        own = with_arrays(corrected.reference, corrected.of(layers))
        plan = make_plan(own, ranges, step, bench.spec.deploy.target, left={**left, **layers}, fixed=fixed)
        return Quantized(plan, corrected.of(layers))

    chosen = without({})
    require_points(chosen.plan, place)
    evidence: dict[str, Any] = {"folded": len(exported.folds), **_of_calibration(corrected, ranges)}
    noise = _noise(bench, step, corrected, chosen.plan) if step.analysis else None
    if noise is not None:
        evidence["analysis"] = [record.to_dict() for record in noise]
    if step.keep_best_effort:
        chosen, evidence["best_effort"] = best_effort.search(
            bench, given, exported.model, without, lambda: noise or _noise(bench, step, corrected, chosen.plan)
        )
    require_zeros(given.masks, chosen.corrected, place)
    simulated = exporting.simulate(bench, exported.folded, chosen.plan, chosen.corrected)
    owners = [point.owner for point in chosen.plan.points]
    evidence |= {
        "points": {"simulated": simulated.evidence.get("points"), "graph_only": owners.count("graph")},
        "left_float": chosen.plan.left_float,
        **effective_bits(chosen.plan),
        **change(
            {"validation": bench.metrics(given.model, "validation")},
            {"validation": bench.metrics(simulated.model, "validation")},
        ),
    }
    return StepOutput(given.model, chosen.plan, evidence, corrected=chosen.corrected)


def observe(bench: Workbench, step: QuantizeStep, graph: Any) -> Ranges:
    """The ranges that the step's observers see on training images; none where activations are not calibrated.

    Raises:
        DataError: The images, or what the network makes of them, give no range.
    """
    from paredown.deploy.calibrate import calibrate

    if step.activations is None:
        return {}
    options = step.activations
    build = bench.manager.registry.implementation("observer", options.observer.kind)
    return calibrate(
        graph,
        images_of(bench, step),
        lambda: build(options.observer, bits=options.bits, symmetric=options.symmetric),
    )


def images_of(bench: Workbench, step: QuantizeStep) -> Iterator[FloatArray]:
    """The calibration images, in batches: the first of the training split."""
    images = bench.split("train")[0][: step.calibration.samples]
    return batches.in_order(images, step.calibration.batch_size)


def require_points(plan: QuantPlan, place: str) -> None:
    """Refuses a plan that quantizes no layer."""
    if not plan.leaves_all_in_float:
        return
    raise NoEffectError(
        "nothing in this network can be quantized",
        where=place,
        value="; ".join(f"{layer}: {reason}" for layer, reason in plan.left_float.items()) or "no layer with weights",
        remedy="protect less, or leave the quantization step out",
    )


def _corrections(bench: Workbench, step: QuantizeStep, graph: Any, left: Mapping[str, str]) -> Corrections:
    from paredown.deploy.canonical.graph import with_arrays

    rescaled: dict[str, Array] = {}
    changed: dict[str, Array] = {}
    fixed: dict[str, QuantizedTensor] = {}
    evidence: dict[str, Any] = {}
    for options in step.corrections:
        implementation = bench.manager.registry.implementation("correction", options.kind)

        bench.report("stage", text=f"correction: {options.kind}")
        plan = functools.partial(_plan_of, bench, step, left, dict(fixed))
        reference = with_arrays(graph, rescaled)
        run = CorrectionRun(
            graph=with_arrays(reference, changed),
            images=lambda: images_of(bench, step),
            plan=plan,
            seed=bench.context.seed,
            reference=reference,
            changed=dict(changed),
        )
        found = implementation(run, options)
        if found.evidence:
            evidence[options.kind] = dict(found.evidence)
        (rescaled if found.same_function else changed).update(found.arrays)
        fixed |= found.weights
    return Corrections(with_arrays(graph, rescaled), rescaled, changed, fixed, evidence)


def _plan_of(
    bench: Workbench,
    step: QuantizeStep,
    left: Mapping[str, str],
    fixed: Mapping[str, QuantizedTensor],
    graph: Any,
    kept: Mapping[str, QuantizedTensor],
) -> QuantPlan:
    """The plan of a graph that a correction changed; what corrections before it fixed stays."""
    from paredown.deploy.points import make_plan

    ranges = observe(bench, step, graph)
    return make_plan(graph, ranges, step, bench.spec.deploy.target, left=left, fixed={**fixed, **kept})


def _of_calibration(corrected: Corrections, ranges: Ranges) -> dict[str, Any]:
    """What corrections did, and where activations never fired."""
    from paredown.deploy.calibrate import silent_places

    found: dict[str, Any] = {"corrections": dict(corrected.evidence)} if corrected.evidence else {}
    silent = silent_places(corrected.reference.graph, ranges) if ranges else ()
    return found | ({"silent": list(silent)} if silent else {})


def _noise(bench: Workbench, step: QuantizeStep, corrected: Corrections, plan: QuantPlan) -> Any:
    """The signal-to-noise ratio of each layer, in dB, on the calibration images."""
    from paredown.deploy.analysis import layer_noise

    bench.report("stage", text="the noise of each layer")
    return layer_noise(corrected.reference, plan, lambda: images_of(bench, step), corrected.changed)
