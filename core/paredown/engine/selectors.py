"""Which layers a selector of the spec picks in a network."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence

from paredown.contracts import LayerInfo
from paredown.engine.students import student_source
from paredown.engine.workbench import Workbench
from paredown.errors import SpecError
from paredown.spec.models import DistillStep, FinetuneStep, PruneStep, QuantizeStep, Selector, Spec
from paredown.spec.nearest import listed, nearest


def require_matches(bench: Workbench) -> None:
    """Checks every selector of the spec's pruning steps on the network, before anything is trained.

    Raises:
        SpecError: A selector picks no layer.
    """
    asked = list(_selectors(bench.spec))
    if asked:
        layers = bench.layers(bench.build(source=student_source(bench.spec)))
        for place, selector in asked:
            select(selector, layers, place)


def select(selector: Selector, layers: Sequence[LayerInfo], place: str) -> set[str]:
    """The names of the layers with weights that a selector picks.

    Raises:
        SpecError: There is none; tells what the network has.
    """
    weighted = [layer for layer in layers if layer.kind in ("conv", "linear")]
    roles = _roles(layers, weighted)
    found = {layer.name for layer in weighted if _fits(selector, layer, roles)}
    if not found:
        names = list(dict.fromkeys(layer.name for layer in weighted))
        near = next((match for name in selector.names if (match := nearest(name, names))), None)
        raise SpecError(
            "the selector picks no layer of this network",
            where=place,
            value=str(selector.model_dump(exclude_defaults=True)),
            expected=f"layers with weights, such as {listed(names[:4])}",
            remedy=f"did you mean `{near}`?" if near else "write a glob such as `layer3.*`, or pick by types or roles",
        )
    return found


def protected_layers(protect: Sequence[Selector], layers: Sequence[LayerInfo], place: str) -> set[str]:
    """The names of the layers that a step's `protect` picks; `place` is where the step stands in the spec.

    Raises:
        SpecError: A selector picks none.
    """
    found: set[str] = set()
    for index, selector in enumerate(protect):
        found |= select(selector, layers, f"{place}.protect[{index}]")
    return found


def _selectors(spec: Spec) -> Iterator[tuple[str, Selector]]:
    for index, step in enumerate(spec.steps):
        place = f"steps[{index}]"
        if isinstance(step, PruneStep | QuantizeStep):
            yield from _of_step(step, place)
        elif isinstance(step, FinetuneStep | DistillStep):
            for position, inner in enumerate(step.during):
                yield from _of_step(inner, f"{place}.during[{position}]")


def _of_step(step: PruneStep | QuantizeStep, place: str) -> Iterator[tuple[str, Selector]]:
    for index, selector in enumerate(step.protect):
        yield f"{place}.protect[{index}]", selector
    for index, override in enumerate(step.overrides if isinstance(step, PruneStep) else ()):
        yield f"{place}.overrides[{index}].select", override.select


def _fits(selector: Selector, layer: LayerInfo, roles: Mapping[str, set[str]]) -> bool:
    return (
        (not selector.names or any(_named(pattern, layer.name) for pattern in selector.names))
        and (not selector.types or _type(layer) in selector.types)
        and (not selector.roles or any(layer.name in roles[role] for role in selector.roles))
    )


def _named(pattern: str, name: str) -> bool:
    if pattern.startswith("re:"):
        return re.fullmatch(pattern.removeprefix("re:"), name) is not None
    return fnmatch.fnmatchcase(name, pattern)


def _type(layer: LayerInfo) -> str:
    is_depthwise = layer.kind == "conv" and layer.groups > 1 and layer.weight_shape[1] == 1
    return "depthwise" if is_depthwise else layer.kind


def _roles(layers: Sequence[LayerInfo], weighted: Sequence[LayerInfo]) -> dict[str, set[str]]:
    return {"classifier": returned_layers(layers), "stem": {layer.name for layer in weighted[:1]}}


def returned_layers(layers: Sequence[LayerInfo]) -> set[str]:
    """The layers with weights whose outputs the network returns; where none can be told, the last one."""
    by_name = {layer.name: layer for layer in layers}
    found = {_weighted_source(layer, by_name) for layer in layers if layer.is_output} - {None}
    last = [layer.name for layer in layers if layer.kind in ("conv", "linear")][-1:]
    return {name for name in found if name is not None} or set(last)


def _weighted_source(layer: LayerInfo, by_name: Mapping[str, LayerInfo]) -> str | None:
    """The layer with weights behind an output: a softmax, a pooling or a flattening adds no channels of its own."""
    seen: set[str] = set()
    current: LayerInfo | None = layer
    while current is not None and current.kind not in ("conv", "linear") and current.name not in seen:
        seen.add(current.name)
        current = by_name.get(current.source) if current.source else None
    return current.name if current is not None and current.kind in ("conv", "linear") else None
