"""The coupled channels of a run's network: found once, on the canonical graph of the network before any cut."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from paredown.algorithms.groups import GroupSet, after_cuts
from paredown.contracts import Model, State
from paredown.engine import exporting
from paredown.engine.stepping import Root
from paredown.engine.workbench import Workbench
from paredown.errors import DeployError, UnsupportedError
from paredown.plan import PrunePlan


def find(
    bench: Workbench,
    directory: Path | None,
    baseline: State,
    plans: Sequence[PrunePlan] = (),
    root: Root | None = None,
) -> GroupSet:
    """The groups of the baseline network as they stand once plans were carried out.

    Args:
        bench: The run.
        directory: The run's directory, where the canonical graph is kept for the deployment, which needs it too; None
            keeps nothing.
        baseline: The baseline's arrays.
        plans: The cuts that were made since, in order.
        root: The network that they started from, where it is another than the baseline.

    Raises:
        UnsupportedError: The network cannot be exported, so nothing is known about its channels.
    """
    if root is not None:
        groups = of_model(bench, bench.build(state=root.state, source=root.source))
    else:
        groups = of_model(bench, bench.build(state=baseline), directory / exporting.BASELINE if directory else None)
    for plan in plans:
        groups = after_cuts(groups, plan.cuts)
    return groups


def of_model(bench: Workbench, model: Model, path: Path | None = None) -> GroupSet:
    """The groups of a network as it is; its canonical graph is written to `path`, or taken from there."""
    from paredown.deploy.coupling import find_groups

    with tempfile.TemporaryDirectory(prefix="paredown-") as scratch:
        try:
            exported = exporting.canonical(bench, model, path or Path(scratch) / "network.onnx")
        except (DeployError, UnsupportedError) as error:
            cause = error.problems[0]
            raise UnsupportedError(
                f"the network's channels cannot be followed, because it cannot be exported: {cause.what}",
                where=cause.where,
                value=cause.value,
                expected="a network that exports to ONNX",
                remedy=cause.remedy,
            ) from error
    return find_groups(exported.model, bench.state(model), exported.folds)
