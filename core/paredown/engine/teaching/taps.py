"""The layers that losses on features compare: found by name, and held against what each loss can compare."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.calls import calls_of, layer_of
from paredown.algorithms.detection import decode
from paredown.algorithms.initialization import draw
from paredown.algorithms.outputs import as_tuple
from paredown.contracts import Array, Outputs
from paredown.engine.tasks import loss_for_images
from paredown.engine.workbench import Workbench
from paredown.errors import ModelError, ParedownError
from paredown.plan import PlannedLoss, PlannedTap
from paredown.spec.base import ComponentConfig
from paredown.spec.losses import TapPair
from paredown.spec.nearest import nearest

Shapes = Mapping[str, tuple[int, ...]]
"""Neutral names of layers and blocks to the shapes of their outputs, without the batch axis."""

_SHOWN = 6
_OF_DETECTORS = frozenset({"boxes", "masks"})
"""What detectors return."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The shapes of what student and teacher give, layer by layer and call by call.

    `answers` are the teacher's outputs for two images, where a loss is guided by them.
    """

    student: Shapes
    teacher: Shapes
    answers: Outputs | None = None


def tapped(losses: Sequence[ComponentConfig]) -> Iterator[tuple[int, tuple[TapPair, ...]]]:
    """The losses that have taps, by their place."""
    for index, loss in enumerate(losses):
        taps: tuple[TapPair, ...] | None = getattr(loss, "taps", None)
        if taps:
            yield index, taps


def require_layers(losses: Sequence[ComponentConfig], networks: Networks, place: str) -> None:
    """Refuses taps that are no layers, and pairs whose outputs are of different ranks or of different numbers of calls.

    Raises:
        ModelError: With one problem for each; a name that nobody knows is told with the nearest and their shapes.
    """
    problems = [
        problem
        for index, taps in tapped(losses)
        for position, pair in enumerate(taps)
        for where in [f"{place}.losses[{index}].taps[{position}]"]
        for problem in (
            *_problems(pair, networks, where),
            *_shared_under_flows(losses[index], pair, networks, where),
        )
    ]
    if problems:
        raise ModelError.of([problem for error in problems for problem in error.problems])


def planned_taps(loss: ComponentConfig, networks: Networks) -> tuple[PlannedTap, ...]:
    """The taps of a loss, one for each call, with a projection where channels differ and the loss asks for one."""
    projects = bool(getattr(loss, "projection", False))
    return tuple(
        _planned(*calls, networks, projects=projects)
        for _, taps in tapped((loss,))
        for pair in taps
        for calls in zip(*_calls(pair, networks), strict=True)
    )


def _shared_under_flows(loss: ComponentConfig, pair: TapPair, networks: Networks, where: str) -> Iterator[ModelError]:
    """Layers that are called more than once, under flows: these go from a tap to the next, and not across calls."""
    calls = len(calls_of(pair.student, networks.student))
    if loss.kind == "fsp" and calls > 1:
        yield ModelError(
            f"`{loss.kind}` compares flows from one layer to the next, and this one is called {calls} times",
            where=where,
            value=pair.student,
            expected="layers that are called once",
            remedy="tap other layers, or choose a loss that compares call by call (`attention`, `feature_l2`)",
        )


def _calls(pair: TapPair, networks: Networks) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the calls of both layers; none of a layer that is not there."""
    return calls_of(pair.student, networks.student), calls_of(pair.teacher or pair.student, networks.teacher)


def draw_projections(losses: Sequence[PlannedLoss], seed: int) -> dict[tuple[int, int], Array]:
    """The weights that projections start from, drawn as those of networks, by places of the loss and of its tap."""
    shapes = {
        (index, place): tap.projection
        for index, loss in enumerate(losses)
        for place, tap in enumerate(loss.taps)
        if tap.projection is not None
    }
    names = {place: f"projections.{place[0]}.{place[1]}.weight" for place in shapes}
    drawn = draw({names[place]: np.empty(shape) for place, shape in shapes.items()}, seed)
    return {place: drawn[name] for place, name in names.items()}


def require_comparable(bench: Workbench, losses: Sequence[PlannedLoss], networks: Networks, place: str) -> None:
    """Runs each loss's reference once, on numbers of the taps' shapes: what it cannot compare shows here.

    Raises:
        ModelError: A loss refuses the shapes, or is guided by a teacher that is no detector.
    """
    registry = bench.manager.registry
    if networks.answers is not None and any(_OF_DETECTORS.issuperset(_guides(bench, loss)) for loss in losses):
        _require_detector(networks.answers, bench.input_shape[1:], f"{place}.teacher")
    for index, loss in enumerate(losses):
        if not loss.taps or not registry.has_implementation("distill_loss", loss.kind):
            continue
        student = [_drawn(_projected(networks.student[tap.student], tap)) for tap in loss.taps]
        teacher = [_drawn(networks.teacher[tap.teacher]) for tap in loss.taps]
        where = f"{place}.losses[{index}]"
        taught = (teacher, networks.answers) if loss.guided else teacher
        reference = registry.implementation("distill_loss", loss.kind)
        if loss.guided:
            reference = loss_for_images(reference, bench.input_shape)
        try:
            reference(student, taught, np.arange(2), loss.options)
        except ParedownError as error:
            cause = error.problems[0]
            raise _incomparable(cause.what, where, student, teacher, cause.remedy) from error
        except (ValueError, IndexError) as error:
            what = f"the loss `{loss.kind}` cannot compare these outputs: {error}"
            raise _incomparable(what, where, student, teacher, "tap other layers, or choose another loss") from error


def _guides(bench: Workbench, loss: PlannedLoss) -> tuple[str, ...]:
    """What a teacher returns that guides a loss; something that is nobody's where none does."""
    return bench.manager.registry.components["distill_loss", loss.kind].guided_by if loss.guided else ("",)


def _require_detector(answers: Outputs, image_size: Sequence[int], where: str) -> None:
    try:
        decode(as_tuple(answers)[:3], image_size, least_score=1.0, overlap=1.0, most=1)
    except ModelError as error:
        (cause,) = error.problems
        raise ModelError(
            "the teacher's outputs are not those of a detector",
            where=where,
            value=cause.value,
            expected=cause.expected,
            remedy="choose a detector as teacher, or losses that are not guided by what it detects",
        ) from error


def _problems(pair: TapPair, networks: Networks, where: str) -> Iterator[ModelError]:
    own, taught = pair.student, pair.teacher or pair.student
    unknown = [
        _unknown(name, shapes, f"{where}.{side}", side)
        for side, name, shapes in (("student", own, networks.student), ("teacher", taught, networks.teacher))
        if name not in shapes or name != layer_of(name)
    ]
    yield from unknown
    if unknown:
        return
    calls = _calls(pair, networks)
    if len(calls[0]) != len(calls[1]):
        yield ModelError(
            "these layers cannot be compared: they are called different numbers of times",
            where=where,
            value=f"{own} is called {len(calls[0])} times, {taught} {len(calls[1])} times",
            expected="two layers that are called equally often",
            remedy="tap layers that both networks share alike, such as what is given to them",
        )
        return
    for names in zip(*calls, strict=True):
        shapes = networks.student[names[0]], networks.teacher[names[1]]
        if len(shapes[0]) != len(shapes[1]) or len(shapes[0]) not in (1, 3):
            yield ModelError(
                "these outputs cannot be compared: they are of different ranks"
                if len(shapes[0]) != len(shapes[1])
                else "these outputs are neither maps nor features",
                where=where,
                value=f"{names[0]} gives {_shown(shapes[0])}, {names[1]} gives {_shown(shapes[1])}",
                expected="two outputs [channels, height, width], or two [features]",
                remedy="tap layers before the pooling on both sides, or behind it on both",
            )


def _unknown(name: str, shapes: Shapes, where: str, side: str) -> ModelError:
    near = nearest(name, [one for one in shapes if one == layer_of(one)])
    comparable = [one for one, shape in shapes.items() if len(shape) in (1, 3) and one == layer_of(one)]
    alike = [one for one in comparable if one.partition(".")[0] == (near or name).partition(".")[0]]
    listed = list(dict.fromkeys([*([near] if near else []), *alike, *comparable]))[:_SHOWN]
    return ModelError(
        f"the {side} has no layer or block of this name",
        where=where,
        value=name,
        expected="one of its layers or blocks, such as "
        + ", ".join(f"`{one}` {_shown(shapes[one])}" for one in listed),
        remedy=f"did you mean `{near}`?" if near else "choose one of these; neutral names are those that torch gives",
    )


def _planned(own: str, taught: str, networks: Networks, *, projects: bool) -> PlannedTap:
    shape, wanted = networks.student[own], networks.teacher[taught]
    if not projects or shape[0] == wanted[0]:
        return PlannedTap(student=own, teacher=taught)
    weight = (wanted[0], shape[0], 1, 1) if len(shape) == 3 else (wanted[0], shape[0])
    return PlannedTap(student=own, teacher=taught, projection=weight)


def _projected(shape: tuple[int, ...], tap: PlannedTap) -> tuple[int, ...]:
    return shape if tap.projection is None else (tap.projection[0], *shape[1:])


def _drawn(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(math.prod(shape)).standard_normal((2, *shape))


def _incomparable(what: str, where: str, student: list[Array], teacher: list[Array], remedy: str | None) -> ModelError:
    pairs = [
        f"{_shown(one.shape[1:])} and {_shown(other.shape[1:])}" for one, other in zip(student, teacher, strict=True)
    ]
    expected = "outputs that this loss can compare"
    return ModelError(what, where=where, value="; ".join(pairs), expected=expected, remedy=remedy)


def _shown(shape: Sequence[int]) -> str:
    return "x".join(str(size) for size in shape) or "one number"
