"""Pruning single weights: which become zero, and the masks that hold them there afterwards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from paredown.algorithms import masks
from paredown.contracts import Array, LayerInfo, State
from paredown.engine.evidence import change, sparsity
from paredown.engine.mask_checks import nothing_removed
from paredown.engine.selectors import protected_layers, select
from paredown.engine.stepping import Masks, StepInput, StepOutput
from paredown.engine.workbench import Workbench
from paredown.errors import UnsupportedError
from paredown.plan import Mask, MaskPlan
from paredown.spec.models import PruneStep


def prune_weights(bench: Workbench, step: PruneStep, given: StepInput) -> StepOutput:
    """Decides masks and multiplies them into the weights; shapes stay.

    Raises:
        UnsupportedError: No layer may be masked, or no layer fits the N:M pattern.
        NoEffectError: The ratio is too small to remove a weight, or everything that it removes is zero already.
        SpecError: A selector picks nothing.
    """
    state, place = bench.state(given.model), f"steps[{given.index}]"
    plan = decide_masks(bench, step, state, bench.layers(given.model), given.masks, place)
    parameters = [mask.parameter for mask in plan.masks]
    before = {"sparsity": sparsity(state, parameters), "validation": bench.metrics(given.model, "validation")}
    outcome = bench.mask(given.model, plan)
    after_state = bench.state(outcome.model)
    after = {"sparsity": sparsity(after_state, parameters), "validation": bench.metrics(outcome.model, "validation")}
    if after["sparsity"] == before["sparsity"]:
        raise nothing_removed(place, plan.amount)
    evidence = {
        "masked_layers": len(plan.masks),
        "left_whole": plan.left_whole,
        **change(before, after),
        **outcome.evidence,
    }
    return StepOutput(outcome.model, plan, evidence)


def decide_masks(
    bench: Workbench, step: PruneStep, state: State, layers: Sequence[LayerInfo], held: Masks, place: str
) -> MaskPlan:
    """The plan of a pruning of single weights.

    Args:
        bench: The run.
        step: With granularity `weight` or `n_m`.
        state: The network's arrays.
        layers: Its layers.
        held: The masks that hold already: what is zero stays zero and counts.
        place: Where the step stands in the spec.
    """
    weights, left_whole = maskable(step, state, layers, place)
    criterion = bench.manager.registry.weight_criterion(step.criterion.kind)
    if step.granularity == "n_m":
        assert step.n is not None
        assert step.m is not None
        found, left = masks.n_m_masks(
            weights, criterion, step.criterion, n=step.n, m=step.m, held=held, seed=bench.context.seed
        )
        left_whole.update({_layer(name): reason for name, reason in left.items()})
        asked = {"n": float(step.n), "m": float(step.m)}
    else:
        assert step.ratio is not None
        found = masks.weight_masks(
            weights,
            criterion,
            step.criterion,
            ratio=step.ratio,
            scope=step.scope,
            overrides=ratios(step, weights, layers, place),
            held=held,
            seed=bench.context.seed,
        )
        asked = {"ratio": step.ratio}
    return mask_plan(step, found, left_whole, asked)


def mask_plan(
    step: PruneStep, found: Mapping[str, Array], left_whole: Mapping[str, str], asked: Mapping[str, float]
) -> MaskPlan:
    """Masks as a plan."""
    packed: tuple[Mask, ...] = tuple(masks.pack(name, mask) for name, mask in found.items())
    return MaskPlan(
        granularity="n_m" if step.granularity == "n_m" else "weight",
        criterion=step.criterion.model_dump(mode="json"),
        scope=step.scope,
        amount=dict(asked),
        n=step.n,
        m=step.m,
        masks=packed,
        left_whole=dict(left_whole),
    )


def maskable(
    step: PruneStep, state: State, layers: Sequence[LayerInfo], place: str
) -> tuple[dict[str, Array], dict[str, str]]:
    """The weights that may be masked, in the order of definition, and what is left whole, with the reason.

    Left whole are layers, and by their own names weights that are no layer's only one (`attention.in_proj_weight`).

    Raises:
        UnsupportedError: There is none.
    """
    protected = protected_layers(step.protect, layers, place)
    names = {f"{layer.name}.weight" for layer in layers if _is_maskable(layer)}
    weights = {name: values for name, values in state.items() if name in names and _layer(name) not in protected}
    if not weights:
        raise UnsupportedError(
            "this network has no layer whose weights may be pruned",
            where=place,
            value=f"{len(names)} layers with weights, {len(protected)} protected",
            expected="at least one convolution or Linear layer that is not protected",
            remedy="protect less, or leave the step out",
        )
    return weights, _other_weights(state, names, layers) | dict.fromkeys(sorted(protected), "protected by the spec")


def _is_maskable(layer: LayerInfo) -> bool:
    # A transposed convolution's weight is [in, out, ...]: the input channels of n_m would be its outputs.
    return layer.kind in ("conv", "linear") and "Transpose" not in layer.type


def _other_weights(state: State, names: Collection[str], layers: Sequence[LayerInfo]) -> dict[str, str]:
    """The weights of two axes and more that no mask goes on, with the reason."""
    types = {f"{layer.name}.weight": layer.type for layer in layers}
    found = [name for name in state if name.endswith("weight") and np.ndim(state[name]) > 1 and name not in names]
    return {
        name.removesuffix(".weight"): f"its type is {types[name]}, and masks go on convolutions and Linear layers"
        if name in types
        else "no convolution or Linear layer that the network calls holds it as its weight"
        for name in found
    }


def ratios(step: PruneStep, weights: Mapping[str, Array], layers: Sequence[LayerInfo], place: str) -> dict[str, float]:
    """The ratio of each weight that an override picks."""
    found: dict[str, float] = {}
    for index, override in enumerate(step.overrides):
        picked = select(override.select, layers, f"{place}.overrides[{index}].select")
        found.update({name: override.ratio for name in weights if _layer(name) in picked})
    return found


def _layer(parameter: str) -> str:
    return parameter.rpartition(".")[0]
