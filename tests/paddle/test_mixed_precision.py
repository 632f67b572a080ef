"""`run.amp` on a CPU: Paddle would warn and compute in float32, so it is refused before anything is trained."""

from __future__ import annotations

import pytest

from paredown.contracts import ModelSource, RunContext, TrainingRun
from paredown.errors import UnsupportedError
from paredown.plan import DistillPlan, PlannedLoss
from paredown.spec.models import ConstantSchedule, SgdConfig

CPU = "Paddle has no mixed precision on a CPU"


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_no_network_is_loaded_for_it(hooks, device):
    import paddle

    if paddle.device.is_compiled_with_cuda():
        pytest.skip("this Paddle may see a GPU")
    source = ModelSource("cnn", 10, 1, (8, 8))
    with pytest.raises(UnsupportedError, match=CPU):
        hooks.load_model(backend="paddle", source=source, run=RunContext(device=device, amp=True))


def test_a_network_of_the_callers_is_not_trained_in_it(hooks, build):
    plan = DistillPlan(
        losses=(PlannedLoss(kind="hard_label", options={}, weight=1.0),),
        teacher=None,
        epochs=1,
        batch_size=16,
        optimizer=SgdConfig(lr=0.05),
        schedule=ConstantSchedule(),
    )
    run = TrainingRun(lambda epoch: iter(()), 4, lambda step: 0.05, (), amp=True)
    with pytest.raises(UnsupportedError, match=CPU):
        hooks.distill(backend="paddle", model=build("cnn"), plan=plan, run=run)
