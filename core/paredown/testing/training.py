"""What every backend must do when it trains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from paredown.contracts import Array, Model, State
from paredown.errors import ParedownError
from paredown.manager import Manager
from paredown.plan import PlannedLoss
from paredown.spec.models import AdamWConfig, OptimizerConfig, SgdConfig
from paredown.testing.harness import BackendHarness, assert_equal


class TrainingConformance(BackendHarness):
    """The loss falls, the same way each time; teachers stay as they were; masked weights stay zero."""

    def test_training_lowers_the_loss_and_repeats_bit_for_bit(self, manager: Manager) -> None:
        first, second = (self._train(manager, self._build(manager)) for _ in range(2))
        assert first.evidence["loss"][-1] < first.evidence["loss"][0]
        assert_equal(manager.save(self.backend, first.model), manager.save(self.backend, second.model))

    def test_a_teacher_is_left_as_it_was(self, manager: Manager, model: Model) -> None:
        teacher = self._build(manager, seed=1)
        before = manager.save(self.backend, teacher)
        losses = (PlannedLoss(kind="kl", options={"temperature": 4.0}, weight=1.0),)
        outcome = self._train(manager, model, losses, teacher)
        assert outcome.evidence["loss"][-1] < outcome.evidence["loss"][0]
        assert_equal(manager.save(self.backend, teacher), before)

    def test_a_loss_that_is_not_finite_stops_the_training(self, manager: Manager, model: Model) -> None:
        with pytest.raises(ParedownError, match="epoch"):
            self._train(manager, model, images=np.full((8, 1, 8, 8), np.nan, dtype=np.float32))

    @pytest.mark.parametrize("optimizer", [SgdConfig(lr=0.05, weight_decay=1e-2), AdamWConfig(lr=0.01)], ids=str)
    def test_masked_weights_stay_zero_through_any_optimizer(
        self, manager: Manager, model: Model, optimizer: OptimizerConfig
    ) -> None:
        before = manager.save(self.backend, model)
        masking = _Shrinking(self._masks(before))
        trained = manager.save(self.backend, self._train(manager, model, masking=masking, optimizer=optimizer).model)
        assert masking.asked == list(range(16))
        assert trained.keys() == before.keys()
        for name, mask in masking.masks().items():
            assert not trained[name][~mask].any()
            assert (trained[name][mask] != before[name][mask]).any()

    def test_an_l1_penalty_moves_the_scales_of_batch_norm_and_nothing_else(self, manager: Manager) -> None:
        # One step of plain SGD: the penalty's share of it is -lr * strength * sign(scale).
        optimizer, strength = SgdConfig(lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0), 0.01
        plain, penalised = (
            manager.save(
                self.backend,
                self._train(
                    manager, self._build(manager), optimizer=optimizer, epochs=1, batch_size=64, bn_l1=value
                ).model,
            )
            for value in (0.0, strength)
        )
        start = manager.save(self.backend, self._build(manager))
        scales = {
            f"{name.removesuffix('.running_var')}.weight" for name in start if name.endswith(".running_var")
        } & start.keys()
        assert scales
        for name, values in plain.items():
            moved = -0.1 * strength * np.sign(start[name]) if name in scales else np.zeros_like(values)
            np.testing.assert_allclose(penalised[name] - values, moved, rtol=0, atol=1e-6, err_msg=name)


class _Shrinking:
    """Masks that keep less from step 3 on; it checks that what it was promised was kept."""

    def __init__(self, masks: Mapping[str, Array]) -> None:
        self._masks = dict(masks)
        self.asked: list[int] = []

    def masks(self) -> Mapping[str, Array]:
        return self._masks

    def is_due(self, step: int) -> bool:
        self.asked.append(step)
        return step == 3

    def update(self, step: int, weights: State) -> Mapping[str, Array]:
        assert step == 3
        generator = np.random.default_rng(step)
        for name, mask in self._masks.items():
            assert not weights[name][~mask].any()
            self._masks[name] = mask & (generator.random(mask.shape) < 0.8)
        return self._masks
