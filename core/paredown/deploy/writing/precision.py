"""The short name of what a plan makes of a network."""

from __future__ import annotations

from paredown.plan import QuantPlan
from paredown.spec.precision import precision_name


def precision_of(plan: QuantPlan) -> str:
    """The name of the candidate, for files and reports: see `precision_name`."""
    weights = {point.tensor.bits for point in plan.points if point.port == "weight"}
    return precision_name(plan.mode, weights, {point.tensor.bits for point in plan.points if point.port != "weight"})
