"""What every backend must do with the plans of a pruning step."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms import masks
from paredown.algorithms.groups import GroupSet, after_cuts
from paredown.algorithms.surgery import cut_state
from paredown.contracts import Array, FloatArray, Model
from paredown.errors import PlanError
from paredown.manager import Manager
from paredown.plan import MaskPlan, PrunePlan
from paredown.testing.harness import BackendHarness, assert_equal


class PruningConformance(BackendHarness):
    """Channels are cut, and single weights become zero, as the plan says and nothing else."""

    def test_surgery_leaves_what_the_plan_says_and_nothing_else(
        self, manager: Manager, model: Model, groups: GroupSet
    ) -> None:
        plan = self._plan(groups)
        expected = cut_state(manager.save(self.backend, model), plan.cuts)
        pruned = manager.prune(self.backend, model, plan)
        assert_equal(manager.save(self.backend, pruned.model), expected)
        assert pruned.evidence["cut_by"]

    def test_cut_channels_are_those_that_were_silent(
        self, manager: Manager, model: Model, groups: GroupSet, images: FloatArray
    ) -> None:
        # A network whose cut channels were zero everywhere computes the same without them.
        plan = self._plan(groups)
        state = {name: values.copy() for name, values in manager.save(self.backend, model).items()}
        for cut in plan.cuts:
            for member in cut.group.members:
                if not member.parameter.endswith("running_var") and member.channels is None:
                    np.moveaxis(state[member.parameter], member.axis, 0)[list(cut.remove)] = 0
        silent = manager.restore(self.backend, model, state)
        outputs = manager.evaluate(self.backend, silent, images)
        pruned = manager.prune(self.backend, silent, plan).model
        np.testing.assert_allclose(manager.evaluate(self.backend, pruned, images), outputs, rtol=0, atol=1e-4)

    def test_a_plan_replays_from_json_on_a_fresh_network(
        self, manager: Manager, model: Model, groups: GroupSet
    ) -> None:
        plan = PrunePlan.model_validate_json(self._plan(groups).model_dump_json())
        pruned = manager.prune(self.backend, model, plan).model
        again = manager.prune(self.backend, self._build(manager), plan).model
        assert_equal(manager.save(self.backend, again), manager.save(self.backend, pruned))

    def test_a_pruned_network_can_be_pruned_again(
        self, manager: Manager, model: Model, groups: GroupSet, images: FloatArray
    ) -> None:
        first = self._plan(groups)
        once = manager.prune(self.backend, model, first).model
        plan = self._plan(after_cuts(groups, first.cuts))
        expected = cut_state(manager.save(self.backend, once), plan.cuts)
        twice = manager.prune(self.backend, once, plan).model
        assert_equal(manager.save(self.backend, twice), expected)
        assert np.isfinite(manager.evaluate(self.backend, twice, images)).all()

    def test_a_plan_of_another_network_is_refused(self, manager: Manager, model: Model, groups: GroupSet) -> None:
        plan = self._plan(groups)
        smaller = manager.prune(self.backend, model, plan).model
        with pytest.raises(PlanError):
            manager.prune(self.backend, smaller, plan)

    def test_masked_weights_are_zero_and_nothing_else_changes(self, manager: Manager, model: Model) -> None:
        before = manager.save(self.backend, model)
        chosen = self._masks(before)
        outcome = manager.prune(self.backend, model, self._mask_plan(chosen))
        found = manager.save(self.backend, outcome.model)
        assert_equal(found, masks.apply(before, chosen))
        assert outcome.evidence["elements"] == sum(mask.size for mask in chosen.values())
        assert outcome.evidence["zeros"] == sum(int((found[name] == 0).sum()) for name in chosen)

    def test_a_mask_of_another_network_is_refused_and_changes_nothing(self, manager: Manager, model: Model) -> None:
        before = manager.save(self.backend, model)
        chosen = self._masks(before)
        last = next(reversed(chosen))
        for wrong in ({last: chosen[last][:, :1]}, {"no.such.weight": chosen[last]}):
            with pytest.raises(PlanError, match=next(iter(wrong)).replace(".", r"\.")):
                manager.prune(self.backend, model, self._mask_plan(chosen | wrong))
        assert_equal(manager.save(self.backend, model), before)

    def _mask_plan(self, chosen: dict[str, Array]) -> MaskPlan:
        packed = tuple(masks.pack(name, mask) for name, mask in chosen.items())
        return MaskPlan(granularity="weight", criterion={}, scope="local", amount={"ratio": 0.5}, masks=packed)
