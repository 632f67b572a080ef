"""Terms, plans and batches for the training loops of both backends."""

from __future__ import annotations

import numpy as np

from paredown.contracts import TrainingRun
from paredown.plan import DistillPlan, PlannedLoss, PlannedTap
from paredown.spec.models import ConstantSchedule, SgdConfig

HARD = PlannedLoss(kind="hard_label", options={}, weight=0.3)
SOFT = PlannedLoss(kind="kl", options={"temperature": 4.0}, weight=0.7)
PLAIN = SgdConfig(lr=0.05, momentum=0.0)


def squared(student, teacher, labels, options):
    """A loss on features: the mean squared difference of each pair, summed."""
    return sum(((one - other) ** 2).mean() for one, other in zip(student, teacher, strict=True))


def of_means(student, teacher, labels, options):
    """The mean squared difference of the first 32 channels' means."""
    (one,), (other,) = student, teacher
    return ((one.mean((2, 3))[:, :32] - other.mean((2, 3))[:, :32]) ** 2).mean()


def features(*pairs, weight=1.0, projection=None):
    """A term of `squared`: pairs of a student's tap and its teacher's."""
    taps = tuple(PlannedTap(student=own, teacher=taught, projection=projection) for own, taught in pairs)
    return PlannedLoss(kind="squared", options={}, weight=weight, taps=taps)


def plan(*terms, epochs=1, way="offline", teacher=None):
    """A plan of plain SGD with these terms."""
    return DistillPlan(
        losses=terms,
        teacher=teacher,
        epochs=epochs,
        batch_size=16,
        optimizer=PLAIN,
        schedule=ConstantSchedule(),
        way=way,
    )


def training(*implementations, taught=None, **more):
    """Four batches an epoch of drawn images of 8 x 8; `taught` gives what a teacher said of them."""

    def batches(epoch):
        generator = np.random.default_rng(epoch)
        for _ in range(4):
            labels = generator.integers(0, 10, 16)
            images = generator.standard_normal((16, 1, 8, 8)).astype(np.float32)
            yield (images, labels) if taught is None else (images, labels, taught(images))

    return TrainingRun(batches, 4, lambda step: 0.05, implementations, **more)
