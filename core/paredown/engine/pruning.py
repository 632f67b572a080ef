"""Deciding which channels go: groups from the canonical graph, measurements from the backend, the choice from core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paredown.algorithms import allocation
from paredown.algorithms.costs import Costs
from paredown.algorithms.groups import GroupSet, output_layers
from paredown.contracts import FloatArray, LayerInfo, Model, State
from paredown.engine.amounts import Part, amount, request
from paredown.engine.scoring import scores
from paredown.engine.selectors import protected_layers, select
from paredown.engine.workbench import Workbench
from paredown.errors import NoEffectError, SpecError, UnsupportedError
from paredown.plan import Cut, Group, PrunePlan
from paredown.spec.models import PruneStep, SensitivityAllocation
from paredown.spec.nearest import listed


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and what it was chosen from.

    `channels` counts those that could have been cut, of the groups named in `permitted`; `left_whole` is what could not
    be cut, with reasons; `finest` names the finest cut where the target was not met to 2%.
    """

    plan: PrunePlan
    channels: int
    finest: str | None
    permitted: frozenset[str]
    left_whole: Mapping[str, str]


def decide(
    bench: Workbench,
    step: PruneStep,
    model: Model,
    state: State,
    groups: GroupSet,
    place: str = "prune",
    part: Part | None = None,
) -> Decision:
    """The plan of a channel pruning step; the network is not touched.

    Args:
        bench: The run.
        step: The step, with `ratio` or `keep`.
        model: The network as it is.
        state: Its arrays.
        groups: Its coupled channels.
        place: Where the step stands in the spec, for messages.
        part: The round of an iterative step, which may find nothing to cut.

    Raises:
        UnsupportedError: No channel of the network can be cut.
        TargetUnreachable: The target lies beyond what can be cut.
        NoEffectError: The ratio is too small to remove a channel.
        SpecError: A selector picks nothing.
    """
    layers = bench.layers(model)
    permitted, left_whole = _permitted(step, groups, layers, place)
    found = scores(bench, step, model, state, GroupSet(permitted, left_whole))
    for group in permitted:
        if found[group.name] is None:
            left_whole.update(dict.fromkeys(output_layers(group), unscored(step)))
    chosen = [group for group in permitted if found[group.name] is not None]
    _require_some(bench, step, chosen, left_whole)
    curves = None
    if isinstance(step.allocation, SensitivityAllocation):
        from paredown.engine.sensitivity import curves as measure_curves

        curves = measure_curves(bench, model, state, GroupSet(tuple(chosen), left_whole), step, scores=found)
    overrides = _overrides(step, chosen, layers, place, is_first=part is None)
    asked = request(step, chosen, overrides, part, curves, left_whole)
    costs = Costs(chosen, {name: values.shape for name, values in state.items()}, layers)
    selection = allocation.choose(chosen, [_known(found[group.name]) for group in chosen], asked, costs)
    channels = sum(group.size for group in chosen)
    if not selection.cuts and part is None:
        raise NoEffectError(
            "pruning removed nothing",
            where=place,
            value=str(amount(step)),
            expected=f"a share that removes at least one of {channels} channels"
            + (" in some layer" if step.scope == "local" else "")
            + (f", in steps of {step.round_to}" if step.round_to > 1 else ""),
            remedy="raise `ratio`, lower `round_to`, or leave the step out",
        )
    plan = PrunePlan(
        input_shape=bench.input_shape,
        criterion=step.criterion.model_dump(mode="json"),
        scope=step.scope,
        amount=amount(step),
        reached=dict(selection.reached),
        cuts=selection.cuts,
        left_whole={**left_whole, **name_uncut(step, chosen, selection.cuts)},
    )
    return Decision(plan, channels, selection.finest, frozenset(group.name for group in chosen), left_whole)


def name_uncut(step: PruneStep, groups: Sequence[Group], cuts: Sequence[Cut]) -> dict[str, str]:
    """The layers of groups that could have been cut and lose nothing, with the reason."""
    cut = {one.group.name for one in cuts}
    unit = f"{step.round_to} channels" if step.round_to > 1 else "one channel"
    reason = (
        "its channels rank above those that go"
        if step.scope == "global" and step.round_to == 1
        else f"its share is less than {unit}, the least that may go at once"
    )
    return {layer: reason for group in groups if group.name not in cut for layer in output_layers(group)}


def unscored(step: PruneStep) -> str:
    """Why a group is left whole that the criterion has no score for."""
    return f"the criterion `{step.criterion.kind}` has nothing to score its channels by"


def _permitted(
    step: PruneStep, groups: GroupSet, layers: tuple[LayerInfo, ...], place: str
) -> tuple[tuple[Group, ...], dict[str, str]]:
    """The groups that the spec does not protect, and all that is left whole, with reasons."""
    protected = protected_layers(step.protect, layers, place)
    left_whole = dict(groups.left_whole)
    permitted = []
    for group in groups.groups:
        own = set(output_layers(group))
        if own & protected:
            reason = "protected by the spec"
            left_whole.update(dict.fromkeys(sorted(own & protected), reason))
            left_whole.update({name: f"coupled with {min(own & protected)}, {reason}" for name in own - protected})
        else:
            permitted.append(group)
    return tuple(permitted), left_whole


def _overrides(
    step: PruneStep, groups: list[Group], layers: tuple[LayerInfo, ...], place: str, *, is_first: bool
) -> dict[str, float]:
    ratios: dict[str, float] = {}
    for index, override in enumerate(step.overrides):
        where = f"{place}.overrides[{index}].select"
        picked = select(override.select, layers, where)
        meant = {group.name: override.ratio for group in groups if picked & set(output_layers(group))}
        if not meant and is_first:  # later rounds may have cut such a layer to its last channel
            raise SpecError(
                "the override picks only layers that are left whole",
                where=where,
                value=listed(sorted(picked)[:3]),
                expected="a layer whose channels may be cut",
                remedy="remove the override, or do not protect these layers",
            )
        ratios |= meant
    return ratios


def _require_some(bench: Workbench, step: PruneStep, groups: list[Group], left_whole: Mapping[str, str]) -> None:
    if not groups:
        raise UnsupportedError(
            "no channel of this network can be cut",
            where=f"model {bench.source.name}, criterion {step.criterion.kind}",
            value="; ".join(f"{layer}: {reason}" for layer, reason in list(left_whole.items())[:3]) or "no layers",
            remedy="leave the pruning step out, protect less, or choose another network or criterion",
        )


def _known(values: FloatArray | None) -> FloatArray:
    assert values is not None
    return values
