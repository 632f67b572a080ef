"""Masks during training: those that stay as they are, and those that grow to a final sparsity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from paredown.algorithms.masks import all_true, apply, combine, weight_masks
from paredown.contracts import Array, State, WeightCriterion
from paredown.errors import PlanError


def cubic(progress: float) -> float:
    """The share of the final sparsity that is reached: 1 - (1 - t)^3.

    Zhu and Gupta, 2018, "To Prune, or Not to Prune", equation 1, from a sparsity of zero.

    Args:
        progress: t, clipped to [0, 1].
    """
    return 1.0 - (1.0 - min(1.0, max(0.0, progress))) ** 3


class HeldMasks:
    """Masks of earlier steps, held through a training. A `Masking`."""

    def __init__(self, masks: Mapping[str, Array]) -> None:
        self._masks = dict(masks)

    def masks(self) -> Mapping[str, Array]:
        """The masks, always the same."""
        return self._masks

    def is_due(self, step: int) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def update(self, step: int, weights: State) -> Mapping[str, Array]:  # noqa: ARG002
        """The masks, whatever the weights are."""
        return self._masks


class GradualMasks:
    """Masks that grow along the cubic schedule. A `Masking`; what is masked once stays masked.

    Args:
        parameters: The weights to mask, in the order of definition.
        criterion: Scores single weights.
        options: The criterion's own.
        ratio: The final sparsity.
        scope: Whether each weight has that sparsity, or all together.
        overrides: Final sparsities of weights that are decided apart.
        held: Masks of earlier steps, of any parameter; they hold throughout and count.
        begin: The step from which masks grow.
        end: The step at which the final sparsity is reached; nothing changes after it.
        every: How many steps lie between two changes.
        seed: The run's.
        initial: Masks to start from, combined with `held`.
    """

    def __init__(
        self,
        *,
        parameters: Sequence[str],
        criterion: WeightCriterion,
        options: Any,
        ratio: float,
        scope: Literal["local", "global"],
        begin: int,
        end: int,
        every: int,
        overrides: Mapping[str, float] | None = None,
        held: Mapping[str, Array] | None = None,
        seed: int = 0,
        initial: Mapping[str, Array] | None = None,
    ) -> None:
        if end < begin:
            raise PlanError(
                "gradual pruning ends before it begins",
                where="schedule",
                value=f"from step {begin} to {end}",
                expected="an end that is not before the beginning",
                remedy="raise `end`, or lower `begin`",
            )
        self._parameters = tuple(parameters)
        self._criterion, self._options = criterion, options
        self._ratio, self._scope, self._seed = ratio, scope, seed
        self._overrides = dict(overrides or {})
        self._begin, self._end, self._every = begin, end, every
        self._masks = combine(held or {}, initial or {})

    def masks(self) -> Mapping[str, Array]:
        """The masks that hold now, those of earlier steps included."""
        return self._masks

    def is_due(self, step: int) -> bool:
        """Every `every` steps after the beginning, and at the end, whether or not it falls on one."""
        return step == self._end or (self._begin < step < self._end and (step - self._begin) % self._every == 0)

    def update(self, step: int, weights: State) -> Mapping[str, Array]:
        """The masks at the sparsity of this step, from the weights as they are.

        Raises:
            PlanError: A weight to mask is absent, or cannot be scored.
        """
        if step > self._end:
            return self._masks
        missing = [name for name in self._parameters if name not in weights]
        if missing:
            raise PlanError(
                "a weight that is to be masked is not in this network",
                where=missing[0],
                expected=f"{len(self._parameters)} weights, of which {len(missing)} are absent",
                remedy="use the names of the network that is trained",
            )
        chosen = {name: weights[name] for name in self._parameters}
        held = {name: mask for name, mask in self._masks.items() if name in chosen}
        progress = self._progress(step)
        found = weight_masks(
            apply(chosen, held),
            self._criterion,
            self._options,
            ratio=self._ratio * progress,
            scope=self._scope,
            overrides={name: ratio * progress for name, ratio in self._overrides.items()},
            held=held or all_true(chosen),
            seed=self._seed,
        )
        self._masks = combine(self._masks, found)
        return self._masks

    def _progress(self, step: int) -> float:
        if step >= self._end:
            return 1.0
        return cubic((step - self._begin) / (self._end - self._begin))
