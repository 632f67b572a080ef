"""Which single weights stay: the most important share, or n of every m along the input channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from paredown.algorithms.criteria.chance import seeded
from paredown.algorithms.removal import share
from paredown.contracts import Array, FloatArray, State, WeightCriterion
from paredown.errors import PlanError, UnsupportedError

_NO_MASKS: Mapping[str, Array] = {}
_NO_RATIOS: Mapping[str, float] = {}


def weight_masks(
    weights: State,
    criterion: WeightCriterion,
    options: Any,
    *,
    ratio: float,
    scope: Literal["local", "global"],
    overrides: Mapping[str, float] = _NO_RATIOS,
    held: Mapping[str, Array] = _NO_MASKS,
    seed: int = 0,
) -> dict[str, Array]:
    """Masks that remove the least important weights; ties keep the lower index, of layers the earlier one.

    Weights that are exactly zero, or that `held` does not keep, go first: `ratio` is the sparsity in the end. As many
    weights go as the ratio gives, rounded down, of each layer or of all; every layer keeps at least one.

    Args:
        weights: By parameter, in the order of definition, torch's layouts.
        criterion: Scores single weights. `global` compares the scores of all layers as they are.
        options: The criterion's own.
        ratio: The share of weights that are zero in the end, of each layer (`local`) or of all together (`global`).
        scope: Whether each layer gives its own share.
        overrides: Ratios of layers that are decided apart, by parameter.
        held: Masks of earlier steps; what they do not keep stays away, even beyond the ratio.
        seed: The run's.

    Returns:
        A mask for each of `weights`.

    Raises:
        PlanError: The criterion returns another shape or numbers that are not finite, or a held mask does not fit.
    """
    ranks = {name: _ranks(name, values, criterion, options, held, seed) for name, values in weights.items()}
    masks: dict[str, Array] = {}
    for name in weights:
        if name in overrides or scope == "local":
            (masks[name],) = _keep([ranks[name]], overrides.get(name, ratio))
    together = [name for name in weights if name not in masks]
    masks.update(zip(together, _keep([ranks[name] for name in together], ratio), strict=True))
    return {name: _and_held(masks[name], held.get(name)) for name in weights}


def n_m_masks(
    weights: State,
    criterion: WeightCriterion,
    options: Any,
    *,
    n: int,
    m: int,
    held: Mapping[str, Array] = _NO_MASKS,
    seed: int = 0,
) -> tuple[dict[str, Array], dict[str, str]]:
    """Masks that keep the n most important of every m consecutive input channels, at each output and kernel position.

    Mishra et al., 2021, "Accelerating Sparse Deep Neural Networks" (2:4). Ties keep the lower index.

    Args:
        weights: By parameter, torch's layouts: axis 1 are the input channels (of one block).
        criterion: Scores single weights.
        options: The criterion's own.
        n: How many stay.
        m: Of how many.
        held: Masks of earlier steps; what they do not keep stays away.
        seed: The run's.

    Returns:
        The masks, and for each parameter that is left as it is the reason.

    Raises:
        UnsupportedError: The pattern fits no layer.
        PlanError: n is not between 0 and m, or the criterion's scores cannot be ordered.
    """
    if not 0 < n < m:
        raise PlanError(
            "no such pattern",
            where="n_m",
            value=f"{n}:{m}",
            expected="n from 1 to m - 1",
            remedy="choose n below m, such as 2 of 4",
        )
    masks: dict[str, Array] = {}
    left: dict[str, str] = {}
    for name, values in weights.items():
        inputs = np.shape(values)[1] if np.ndim(values) > 1 else 0
        if inputs == 0 or inputs % m:
            left[name] = f"{m} does not divide its {inputs} input channels"
            continue
        ranks = np.moveaxis(_ranks(name, values, criterion, options, held, seed), 1, -1)
        by_group = ranks.reshape(*ranks.shape[:-1], inputs // m, m)
        order = np.argsort(-by_group, axis=-1, kind="stable")
        mask = np.zeros(by_group.shape, dtype=bool)
        np.put_along_axis(mask, order[..., :n], values=True, axis=-1)
        whole = np.ascontiguousarray(np.moveaxis(mask.reshape(ranks.shape), -1, 1))
        masks[name] = _and_held(whole, held.get(name))
    if not masks:
        raise UnsupportedError(
            f"the pattern {n}:{m} fits no layer of this network",
            where="n, m",
            value="; ".join(f"{name}: {reason}" for name, reason in list(left.items())[:3]) or "no layers",
            expected=f"a layer whose input channels (per block) {m} divides",
            remedy="choose another m, or `granularity: weight`",
        )
    return masks, left


def _ranks(
    name: str, values: Array, criterion: WeightCriterion, options: Any, held: Mapping[str, Array], seed: int
) -> FloatArray:
    """The scores of a layer's weights, with what is gone already below all others."""
    weight = np.ascontiguousarray(values, dtype=np.float64)
    gone = weight == 0
    if name in held:
        if np.shape(held[name]) != weight.shape:
            raise PlanError(
                "a mask of an earlier step does not fit the weight",
                where=name,
                value=str(np.shape(held[name])),
                expected=str(weight.shape),
                remedy="cut the masks along with the channels",
            )
        gone |= ~np.asarray(held[name], dtype=bool)
    scores = np.array(criterion(weight, options, seeded(seed, name)), dtype=np.float64)
    if scores.shape != weight.shape or not np.isfinite(scores).all():
        raise PlanError(
            "the criterion gave no score that weights can be ordered by",
            where=name,
            value=f"shape {scores.shape}, {int((~np.isfinite(scores)).sum())} values not finite",
            expected=f"finite numbers of shape {weight.shape}",
            remedy="look for NaN in the weights, or mend the plugin that supplies the criterion",
        )
    scores[gone] = -np.inf
    return scores


def _keep(layers: Sequence[FloatArray], ratio: float) -> list[Array]:
    """Masks without the lowest share of all ranks together; the highest rank of each layer stays."""
    if not layers:
        return []
    flat = np.concatenate([ranks.ravel() for ranks in layers])
    starts = np.cumsum([0, *(ranks.size for ranks in layers)])
    best = np.asarray([start + int(np.argmax(ranks)) for start, ranks in zip(starts, layers, strict=False)])
    flat[best] = np.inf
    count = min(share(flat.size, ratio), flat.size - len(layers))
    kept = np.ones(flat.size, dtype=bool)
    if count > 0:
        # Ordering all weights of a large network takes ten times as long as finding the last one that goes.
        threshold = np.partition(flat, count - 1)[count - 1]
        below = flat < threshold
        kept[below] = False
        ties = np.flatnonzero(flat == threshold)
        kept[ties[len(ties) - (count - int(below.sum())) :]] = False
    return [part.reshape(ranks.shape) for part, ranks in zip(np.split(kept, starts[1:-1]), layers, strict=True)]


def _and_held(mask: Array, held: Array | None) -> Array:
    return mask if held is None else np.logical_and(mask, held)
