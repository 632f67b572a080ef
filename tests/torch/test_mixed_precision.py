"""`run.amp`: networks compute in bfloat16 on the CPU, and everything that must be exact stays float32."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from paredown.contracts import TrainingRun
from paredown.plan import DistillPlan, PlannedLoss
from paredown.spec.models import ConstantSchedule, SgdConfig
from paredown_torch import losses, plugin

TERMS = (
    PlannedLoss(kind="hard_label", options={}, weight=0.3),
    PlannedLoss(kind="kl", options={"temperature": 4.0}, weight=0.7),
)


def distil(student, **changes):
    """Four steps under labels and whatever teaches; returns the evidence and the dtypes that the losses saw."""
    seen = set()

    def noting(loss):
        def noted(own, taught, labels, options):
            seen.update(values.dtype for values in (own, taught) if values is not None)
            return loss(own, taught, labels, options)

        return noted

    def batches(epoch):
        generator = np.random.default_rng(epoch)
        for _ in range(4):
            yield generator.standard_normal((16, 1, 8, 8)).astype(np.float32), generator.integers(0, 10, 16)

    plan = DistillPlan(
        losses=TERMS,
        teacher="x",
        epochs=1,
        batch_size=16,
        optimizer=SgdConfig(lr=0.05),
        schedule=ConstantSchedule(),
        way=changes.get("way", "offline"),
    )
    implementations = [noting(losses.hard_label), noting(losses.kl)]
    run = TrainingRun(batches, 4, lambda step: 0.05, implementations, **{"amp": True, **changes})
    return plugin.distill("torch", student, plan, run).evidence, seen


def outputs_of(layer):
    """The dtypes of what a layer gives, from now on."""
    found = set()
    layer.register_forward_hook(lambda module, given, output: found.add(output.dtype))
    return found


def test_the_networks_compute_in_bfloat16_and_the_losses_in_float32(build):
    student, teacher = build("cnn", 1, 8), build("resnet20", 1, 8)
    dtypes = [outputs_of(network.fc) for network in (student, teacher)]
    evidence, seen = distil(student, teacher=teacher)
    assert dtypes == [{torch.bfloat16}] * 2
    assert seen == {torch.float32}
    assert evidence["precision"] == "bfloat16"
    assert {tensor.dtype for tensor in student.state_dict().values()} <= {torch.float32, torch.int64}


@pytest.mark.parametrize("way", ["online", "self"])
def test_whatever_teaches_computes_in_it_too(build, way):
    student, found = build("cnn", 1, 8), {}

    def note(module, given, output):  # the average is a copy of the student, and its hooks with it
        found.setdefault(id(module), set()).add(output.dtype)

    student.fc.register_forward_hook(note)
    changes = {"average": 0.9}
    if way == "online":
        changes = {"peer": build("cnn", 1, 8)}
        changes["peer"].fc.register_forward_hook(note)
    _, seen = distil(student, way=way, **changes)
    assert seen == {torch.float32}
    assert list(found.values()) == [{torch.bfloat16}] * 2


def test_a_training_in_it_is_near_one_in_float32(build):
    states, found = [], []
    for amp in (True, False):
        student = build("cnn", 1, 8)
        evidence, _ = distil(student, teacher=build("resnet20", 1, 8), amp=amp)
        found.append(evidence["loss"][0])
        states.append(plugin.save("torch", student))
    assert found[0] == pytest.approx(found[1], rel=0.02)
    assert found[0] != found[1]
    # Statistics are sums over a batch: in bfloat16 they would carry eight bits.
    means = [state["bn1.running_mean"] for state in states]
    np.testing.assert_allclose(means[0], means[1], atol=0.02 * np.abs(means[1]).max())


def test_without_it_the_evidence_says_nothing(build):
    evidence, _ = distil(build("cnn", 1, 8), teacher=build("resnet20", 1, 8), amp=False)
    assert "precision" not in evidence


def test_held_zeros_stay_zero_in_it(build):
    student = build("cnn", 1, 8)
    mask = np.random.default_rng(0).random(plugin.save("torch", student)["conv2.weight"].shape) > 0.5

    @dataclasses.dataclass
    class Held:
        def masks(self):
            return {"conv2.weight": mask}

        def is_due(self, step):
            return False

    distil(student, teacher=build("resnet20", 1, 8), masking=Held())
    assert not np.any(plugin.save("torch", student)["conv2.weight"][~mask])
