"""Scoring channels: what the backend measures, on calibration images, and what core makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paredown.algorithms import importance
from paredown.algorithms.batches import batch_labels
from paredown.algorithms.groups import GroupSet, layer_of
from paredown.algorithms.reading import may_be_depthwise
from paredown.contracts import Activity, Array, Axis, FloatArray, MeasureRequest, Model, State
from paredown.engine.workbench import Workbench
from paredown.spec.models import PruneStep


def scores(
    bench: Workbench, step: PruneStep, model: Model, state: State, groups: GroupSet
) -> dict[str, FloatArray | None]:
    """The importance of every channel by the name of its group; None for a group that the criterion cannot score."""
    criterion = bench.manager.registry.implementation("criterion", step.criterion.kind)
    needs = bench.manager.registry.components["criterion", step.criterion.kind].needs
    gradients = _gradients(bench, step, model, groups) if "gradients" in needs else {}
    activity = _activity(bench, step, model, state, groups) if "activations" in needs else {}
    return {
        group.name: importance.score(
            group,
            state,
            criterion,
            step.criterion,
            gradients=gradients,
            activity=activity,
            seed=bench.context.seed,
        )
        for group in groups.groups
    }


def _gradients(bench: Workbench, step: PruneStep, model: Model, groups: GroupSet) -> Mapping[Axis, FloatArray]:
    axes = dict.fromkeys(
        (member.parameter, member.axis)
        for group in groups.groups
        for member in group.members
        if member.role != "buffer"
    )
    request = MeasureRequest(
        "gradients",
        bench.input_shape,
        batches=_calibration(bench, step),
        loss=bench.loss(bench.label_loss),
        axes=tuple(axes),
    )
    return bench.manager.measure(bench.backend, model, request).gradients


def _activity(
    bench: Workbench, step: PruneStep, model: Model, state: State, groups: GroupSet
) -> Mapping[str, Activity]:
    readers = dict.fromkeys(
        layer_of(member.parameter)
        for group in groups.groups
        for member in group.members
        if member.role == "input" or (member.role == "output" and may_be_depthwise(state[member.parameter].shape))
    )
    request = MeasureRequest(
        "activations", bench.input_shape, batches=_calibration(bench, step), layer_names=tuple(readers)
    )
    return bench.manager.measure(bench.backend, model, request).activations


def _calibration(bench: Workbench, step: PruneStep) -> list[tuple[FloatArray, Array]]:
    """The first training images, in order, in batches."""
    options: Any = step.criterion
    images, labels = bench.split("train")
    starts = range(0, min(options.samples, len(labels)), options.batch_size)
    stops = [min(start + options.batch_size, options.samples) for start in starts]
    return [(images[start:stop], batch_labels(labels[start:stop])) for start, stop in zip(starts, stops, strict=True)]
