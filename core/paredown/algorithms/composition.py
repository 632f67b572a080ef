"""Several pruning plans, each on what the one before left, as one plan on the network before the first."""

from __future__ import annotations

from collections.abc import Sequence

from paredown.algorithms.groups import GroupSet
from paredown.plan import Cut, PrunePlan


def compose(groups: GroupSet, plans: Sequence[PrunePlan]) -> PrunePlan:
    """One plan that removes what the plans remove in turn.

    Args:
        groups: Of the network before the first plan; every later plan's groups carry these names.
        plans: At least one, in order.

    Returns:
        The last plan, with all cuts in the first network's channels, and the shares reached multiplied.
    """
    removed: dict[str, set[int]] = {}
    sizes = {group.name: group.size for group in groups.groups}
    reached: dict[str, float] = {}
    for plan in plans:
        for cut in plan.cuts:
            gone = removed.setdefault(cut.group.name, set())
            present = [channel for channel in range(sizes[cut.group.name]) if channel not in gone]
            gone.update(present[index] for index in cut.remove)
        reached = {name: reached.get(name, 1.0) * share for name, share in plan.reached.items()}
    cuts = tuple(
        Cut(group=group, remove=tuple(sorted(removed[group.name]))) for group in groups.groups if group.name in removed
    )
    return plans[-1].model_copy(update={"cuts": cuts, "reached": reached})
